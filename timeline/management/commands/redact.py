"""``manage.py redact``: the redaction rules, for whoever has no browser at hand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from timeline import redactions
from timeline.management.command import NodeCommand
from timeline.models import RedactionRule
from timeline.redaction.detectors import DETECTORS


class Command(NodeCommand):
    """Make, list and end rules; what they mean is in docs/redaction.md."""

    help = "What is taken out of everything received, before it touches a disk."

    def add_arguments(self, parser: CommandParser) -> None:
        """One sub-command each for making, listing and ending."""
        what = parser.add_subparsers(dest="what", required=True)
        add = what.add_parser("add", help="put a rule in force")
        add.add_argument("action", choices=("drop", "mask", "hash"))
        named = add.add_mutually_exclusive_group(required=True)
        named.add_argument("--attribute", help="its key; * stands for anything")
        named.add_argument("--detector", choices=tuple(DETECTORS))
        add.add_argument("--note", default="", help="who asked for it, and why")
        what.add_parser("list", help="the rules, with how often each was needed")
        what.add_parser("end", help="take a rule out of force").add_argument("number", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked."""
        if options["what"] == "add":
            self._add(options)
        elif options["what"] == "end":
            if not redactions.end(options["number"], who="command line"):
                raise CommandError("no rule of this number is in force; `manage.py redact list` shows them")
        else:
            for row in RedactionRule.objects.filter(workspace="main").order_by("pk"):
                state = "in force" if row.ended is None else "ended"
                title = redactions.rule_of(row).title
                self.stdout.write(
                    f"{row.pk:>4}  {title}  {state}, {row.hits:,} values taken out  {row.note}".rstrip()
                )

    def _add(self, options: dict[str, Any]) -> None:
        by = "detector" if options["detector"] else "attribute"
        match = options["detector"] or options["attribute"]
        row = redactions.make(
            by=by, match=match, action=options["action"], note=options["note"], who="command line"
        )
        self.stdout.write(f"{row.pk}")
