"""``manage.py check_access``: what a principal may do on a Kafka cluster, and what would help."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from confluent_kafka import KafkaException
from django.core.management.base import CommandError, CommandParser

from timeline.broker.tap.access import Access, check
from timeline.broker.tap.following import OURS
from timeline.management.command import NodeCommand
from timeline.management.kafka import add_connection, names, settings_of
from timeline.models import AccessCheck


class Command(NodeCommand):
    """Tries each operation that is needed; writes, joins and commits nothing."""

    help = "Try what the tap (and, with --group, manage.py consume) needs of a Kafka cluster."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where, and what for."""
        add_connection(parser)
        parser.add_argument("--topics", required=True, help="with commas")
        parser.add_argument(
            "--group", default="", help="the consumer group of manage.py consume, where it is used"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what is allowed, refused and unknown, and the commands that would help; fails where anything
        is not allowed."""
        config = settings_of(options["brokers"], options["config"], OURS)
        try:
            found = check(config, names(options["topics"]), group=options["group"])
        except KafkaException as error:
            raise CommandError(f"these settings are no good: {error.args[0].str()}") from error
        AccessCheck.objects.update_or_create(
            brokers=found.brokers,
            principal=found.principal,
            defaults={
                "at": time.time_ns(),
                "lines": msgspec.to_builtins(found.lines),
                "commands": list(found.commands),
            },
        )
        self._print(found)
        if any(line.result != "allowed" for line in found.lines):
            raise CommandError("not everything that is needed is allowed")

    def _print(self, found: Access) -> None:
        self.stdout.write(f"{found.principal} at {found.brokers}")
        for line in found.lines:
            detail = f"  ({line.detail})" if line.detail else ""
            self.stdout.write(f"  {line.result:<8} {line.operation:<9} {line.resource} {line.name}{detail}")
        if found.commands:
            self.stdout.write("This would help:")
            for command in found.commands:
                self.stdout.write(f"  {command}")
