"""``manage.py consume``: read what an OpenTelemetry Collector wrote to Kafka."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from timeline import records, wiring
from timeline.broker.consume import OURS, Consuming
from timeline.heartbeats import Heartbeat
from timeline.ingest.request import Signal
from timeline.redactions import Redactions


class Command(BaseCommand):
    """A member of a Kafka consumer group that stores what it reads; run as many as there are partitions."""

    help = "Consume the topics of the OpenTelemetry Collector's Kafka exporter until stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to read; secrets belong into the file of ``--config``."""
        parser.add_argument("--brokers", default="", help="host:port, host:port")
        parser.add_argument(
            "--traces", default="otlp_spans", help="topics of spans, with commas; none where empty"
        )
        parser.add_argument(
            "--logs", default="otlp_logs", help="topics of logs, with commas; none where empty"
        )
        parser.add_argument("--group", default="throughline", help="the consumer group")
        parser.add_argument(
            "--config", type=Path, help="a file of librdkafka settings, one name=value a line"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Consume until SIGTERM or Ctrl-C; what was read and not stored is read again at the next start."""
        if settings.THROUGHLINE["THROUGHLINE_STORE_URL"].startswith("tantivy"):
            raise CommandError(
                "the embedded index has one writer, the worker; set THROUGHLINE_STORE_URL to an Elasticsearch,"
                " or let the Collector send to the receiver"
            )
        topics: dict[str, Signal] = dict.fromkeys(_names(options["traces"]), "traces")
        topics |= dict.fromkeys(_names(options["logs"]), "logs")
        config = {**_config(options["config"]), "group.id": options["group"]}
        if options["brokers"]:
            config["bootstrap.servers"] = options["brokers"]
        if not config.get("bootstrap.servers"):
            raise CommandError(
                "where is Kafka? --brokers host:9092, or bootstrap.servers in the file of --config"
            )
        if not topics:
            raise CommandError("name at least one topic with --traces or --logs")
        redactions = Redactions()
        consuming = Consuming(
            config, topics, wiring.writer(), records.rules, wiring.inbox().touch, redactions
        )
        heartbeat = Heartbeat(settings.THROUGHLINE["THROUGHLINE_NODE"], "consumer", consuming.state)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: consuming.stop())
        heartbeat.start()
        redactions.start()
        try:
            consuming.run()
        finally:
            heartbeat.stop()
            redactions.stop()
            wiring.writer().close()


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _config(file: Path | None) -> dict[str, str]:
    """The settings of a file; raises ``CommandError`` with the line at fault, never with its value."""
    if file is None:
        return {}
    try:
        lines = file.read_text().splitlines()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error}") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise CommandError(f"line {number} of {file} is not name=value, like sasl.mechanisms=PLAIN")
        if name in OURS or name == "group.id":
            raise CommandError(f"line {number} of {file}: {name} is not yours to set")
        found[name] = value
    return found
