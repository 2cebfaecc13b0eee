"""``manage.py doctor``: what is wrong with this node, and what would help."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandParser

from timeline.management.doctor import Said, examine

_SIGNS = {"ok": "ok     ", "warning": "WARNING", "problem": "PROBLEM"}


class Command(BaseCommand):
    """Looks at every part, also where others are broken, and changes nothing."""

    help = "Look at every part of this node and say what is wrong and what would help; 1 where there is a problem."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """How it is said."""
        parser.add_argument("--json", action="store_true", help="one JSON list, for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look, say, and leave with 1 where anything is a problem."""
        found: list[Said] = []
        for said in examine():
            found.append(said)
            if not options["json"]:
                self.stdout.write(f"{_SIGNS[said.state]}  {said.part + ':':16}{said.sentence}")
                if said.remedy:
                    self.stdout.write(f"{'':9}{'':16}{said.remedy}")
        if options["json"]:
            self.stdout.write(msgspec.json.encode(found).decode())
        if any(said.state == "problem" for said in found):
            sys.exit(1)
