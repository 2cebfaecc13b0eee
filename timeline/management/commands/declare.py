"""``manage.py declare``: state that a range was sent in whole."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from timeline.management.command import NodeCommand
from timeline.models import Audit, Declaration
from timeline.search.times import parse_time


class Command(NodeCommand):
    """Imported history proves absence only where someone states that it is complete."""

    help = "Declare that everything of a range was sent in (history, imports, backfills)."

    def add_arguments(self, parser: CommandParser) -> None:
        """The range and who says so."""
        parser.add_argument("start", help="ISO 8601 or relative, as in the search box")
        parser.add_argument("end", help="ISO 8601 or relative")
        parser.add_argument("--by", required=True, help="who states it")
        parser.add_argument("--note", default="", help="why it holds")

    def handle(self, *args: Any, **options: Any) -> None:
        """Record the statement; it shows under every answer that rests on it."""
        now = time.time_ns()
        start, end = parse_time(options["start"], now), parse_time(options["end"], now)
        if start >= end:
            raise CommandError("the range ends before it starts; give the earlier time first")
        Declaration.objects.create(start=start, end=end, by=options["by"], note=options["note"])
        Audit.objects.create(
            who=options["by"], what="declare", detail=f"{start} to {end} ns: {options['note']}"[:1000]
        )
