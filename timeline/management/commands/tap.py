"""``manage.py tap``: follows Kafka topics without a group, and leaves no trace there."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from timeline import wiring
from timeline.broker.tap.following import OURS, Tap
from timeline.broker.tap.rules import TopicRules, read
from timeline.errors import BadQuery, ThroughlineError
from timeline.heartbeats import Heartbeat
from timeline.management.command import NodeCommand
from timeline.management.kafka import add_connection, names, settings_of
from timeline.redactions import Redactions
from timeline.search.times import parse_time

_SAYS = 30.0  # s between two lines about how far it is


class Command(NodeCommand):
    """Records become facts; positions are kept beside the inbox, and the cluster is told nothing."""

    help = "Follow Kafka topics with no consumer group and no commits, and take their records in as facts."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where, which topics, what their records mean, and where to begin."""
        add_connection(parser)
        parser.add_argument(
            "--topics", required=True, help="with commas; one that begins with ^ is a pattern"
        )
        parser.add_argument("--rules", type=Path, help="a TOML file that says what records mean")
        parser.add_argument(
            "--from",
            dest="start",
            default="latest",
            help="where partitions begin of a topic that was never followed: earliest, latest, or a time (now-2h, 2026-11-26T14:00:00Z)",
        )
        parser.add_argument(
            "--until-caught-up",
            action="store_true",
            help="end when every partition was read to where it ended at the first look",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Follow until SIGTERM or Ctrl-C; it goes on there at the next start."""
        config = settings_of(options["brokers"], options["config"], OURS)
        topics = names(options["topics"])
        if not topics:
            raise CommandError("name at least one topic with --topics")
        redactions = Redactions()
        try:
            tap = Tap(
                config,
                topics,
                self._rules(options["rules"]),
                wiring.inbox(),
                Path(settings.DATA_DIR),
                start=_start(options["start"]),
                redaction=lambda: redactions.of("main"),
            )
        except KafkaException as error:
            raise CommandError(f"these settings are no good: {error.args[0].str()}") from error
        heartbeat = Heartbeat(settings.THROUGHLINE["THROUGHLINE_NODE"], "tap", tap.state)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: tap.stop())
        heartbeat.start()
        redactions.start()
        ended = threading.Event()
        threading.Thread(target=self._say, args=(tap, ended), daemon=True).start()
        try:
            tap.run(until_caught_up=options["until_caught_up"])
        finally:
            ended.set()
            heartbeat.stop()
            redactions.stop()
        self.stdout.write(f"{tap.records:,} records taken in{_lost(tap)}")

    def _rules(self, file: Path | None) -> TopicRules:
        if file is None:
            return TopicRules([])
        try:
            return read(file.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read: {error}") from error

    def _say(self, tap: Tap, ended: threading.Event) -> None:
        while not ended.wait(_SAYS):
            try:
                behind = f"{sum(tap.behind().values()):,} records behind"
            except ThroughlineError as error:
                behind = error.message
            self.stdout.write(f"{tap.records:,} records taken in{_lost(tap)}, {behind}")
            self.stdout.flush()


def _lost(tap: Tap) -> str:
    return f", {tap.lost:,} were deleted before they were read" if tap.lost else ""


def _start(text: str) -> str | int:
    if text in ("earliest", "latest"):
        return text
    try:
        return parse_time(text, time.time_ns())
    except BadQuery as error:
        raise CommandError(
            f"--from {text!r} is neither earliest, latest nor a time: {error.message}"
        ) from error
