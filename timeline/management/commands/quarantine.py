"""``manage.py quarantine``: what could not be stored, for whoever has no browser at hand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Sum

from timeline import quarantine, wiring
from timeline.errors import Rejected
from timeline.management.command import NodeCommand
from timeline.models import Quarantined
from timeline.redactions import Redactions
from timeline.search.times import format_ns


class Command(NodeCommand):
    """List, replay and discard items in quarantine."""

    help = "Look at what could not be stored; accept it again after a fix, or give it up with a reason."

    def add_arguments(self, parser: CommandParser) -> None:
        """What, and of which items."""
        what = parser.add_subparsers(dest="what", required=True)
        what.add_parser("list", help="what is kept, newest first")
        for name, about in (("replay", "accept again"), ("discard", "give up")):
            one = what.add_parser(name, help=about)
            chosen = one.add_mutually_exclusive_group(required=True)
            chosen.add_argument("--item", type=int, help="its number, as the list shows it")
            chosen.add_argument("--reason", help="everything of this reason, a thousand at a time")
            if name == "discard":
                one.add_argument("--why", required=True, help="why nobody needs it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked."""
        if options["what"] == "list":
            self._list()
            return
        rows = (
            quarantine.all_of(options["reason"])
            if options["reason"]
            else quarantine.kept().filter(pk=options["item"])
        )
        redactions = Redactions()
        done, failed = 0, 0
        for row in rows:
            try:
                if options["what"] == "replay":
                    quarantine.replay(row, wiring.inbox(), redactions, who="command line")
                else:
                    quarantine.discard(row, wiring.inbox(), why=options["why"], who="command line")
                done += row.items
            except Rejected as error:
                failed += row.items
                self.stderr.write(f"{row.pk}: {error.message}; {error.remedy}")
        if not done and not failed:
            raise CommandError("nothing of that is kept; `manage.py quarantine list` shows what is")
        self.stdout.write(f"{done:,} items {options['what']}ed, {failed:,} left as before")

    def _list(self) -> None:
        for row in quarantine.kept().defer("data").order_by("-at", "position")[:200]:
            self.stdout.write(
                f"{row.pk:>6}  {format_ns(row.at)}  {row.sender or '(no key)'}  {row.signal}"
                f"  {row.items:,} items  {row.reason}: {row.message[:200]}"
            )
        items = Quarantined.objects.filter(state=Quarantined.State.KEPT).aggregate(n=Sum("items"))["n"] or 0
        self.stdout.write(f"{items:,} items are kept")
