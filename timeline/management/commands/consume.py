"""``manage.py consume``: read what an OpenTelemetry Collector wrote to Kafka."""

from __future__ import annotations

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from timeline import records, wiring
from timeline.broker.consume import OURS, Consuming
from timeline.heartbeats import Heartbeat
from timeline.ingest.request import Signal
from timeline.management.command import NodeCommand
from timeline.management.kafka import add_connection, names, settings_of
from timeline.redactions import Redactions


class Command(NodeCommand):
    """A member of a Kafka consumer group that stores what it reads; run as many as there are partitions."""

    help = "Consume the topics of the OpenTelemetry Collector's Kafka exporter until stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to read; secrets belong into the file of ``--config``."""
        add_connection(parser)
        parser.add_argument(
            "--traces", default="otlp_spans", help="topics of spans, with commas; none where empty"
        )
        parser.add_argument(
            "--logs", default="otlp_logs", help="topics of logs, with commas; none where empty"
        )
        parser.add_argument("--group", default="throughline", help="the consumer group")

    def handle(self, *args: Any, **options: Any) -> None:
        """Consume until SIGTERM or Ctrl-C; what was read and not stored is read again at the next start."""
        if settings.THROUGHLINE["THROUGHLINE_STORE_URL"].startswith("tantivy"):
            raise CommandError(
                "the embedded index has one writer, the worker; set THROUGHLINE_STORE_URL to an Elasticsearch,"
                " or let the Collector send to the receiver"
            )
        topics: dict[str, Signal] = dict.fromkeys(names(options["traces"]), "traces")
        topics |= dict.fromkeys(names(options["logs"]), "logs")
        config = {
            **settings_of(options["brokers"], options["config"], OURS),
            "group.id": options["group"],
        }
        if not topics:
            raise CommandError("name at least one topic with --traces or --logs")
        redactions = Redactions()
        consuming = Consuming(
            config, topics, wiring.writer(), records.rules, wiring.inbox().touch, redactions, wiring.decoder()
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
