"""``manage.py token``: make, rotate, list and revoke tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from timeline import keys
from timeline.management.command import NodeCommand
from timeline.models import Token


class Command(NodeCommand):
    """Tokens for the API (``--read``) and for senders (``--ingest``)."""

    help = (
        "Make, rotate, list or revoke tokens: token create --read | --ingest, token rotate PREFIX,"
        " token list, token revoke PREFIX."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Four verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a token and print it once")
        scope = create.add_mutually_exclusive_group(required=True)
        scope.add_argument(
            "--read", dest="scope", action="store_const", const="read", help="may ask the HTTP API"
        )
        scope.add_argument(
            "--ingest", dest="scope", action="store_const", const="ingest", help="may send to the receiver"
        )
        create.add_argument("--name", default="from the command line", help="whose it is: a sender's name")
        create.add_argument("--team", default="", help="who answers for it")
        create.add_argument("--environment", default="", help="the only one it may write into")
        create.add_argument(
            "--items-per-second", type=int, help="what it may send; else THROUGHLINE_QUOTA_ITEMS"
        )
        create.add_argument("--burst", type=int, help="items at once; ten seconds' worth where left out")
        create.add_argument("--bytes-per-second", type=int, help="as they are sent, compressed")
        create.add_argument("--days", type=int, help="days until it expires; never where left out")
        rotate = verbs.add_parser("rotate", help="make the next token of a sender and print it once")
        rotate.add_argument("prefix", help="first characters of the one to follow, as token list shows them")
        rotate.add_argument("--overlap-hours", type=float, default=24.0, help="for which both are good")
        verbs.add_parser("list", help="show every token without its secret")
        revoke = verbs.add_parser("revoke", help="end a token")
        revoke.add_argument("prefix", help="its first characters, as token list shows them")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Carry out the verb."""
        getattr(self, f"_{verb}")(options)

    def _create(self, options: dict[str, Any]) -> None:
        terms = keys.Terms(
            name=options["name"],
            team=options["team"],
            environment=options["environment"],
            quota_items=options["items_per_second"],
            quota_burst=options["burst"],
            quota_bytes=options["bytes_per_second"],
        )
        self.stdout.write(keys.make(terms, options["scope"], days=options["days"]))

    def _rotate(self, options: dict[str, Any]) -> None:
        hours = options["overlap_hours"]
        if not 0 <= hours <= 24 * 365:
            raise CommandError("the overlap lies between 0 hours and a year")
        self.stdout.write(keys.rotate(_live(options["prefix"]), timedelta(hours=hours)))

    def _list(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        for token in Token.objects.order_by("created"):
            whose = ", ".join(text for text in (token.team, token.environment) if text)
            used = f"used {token.last_used:%Y-%m-%d %H:%M}" if token.last_used else "never used"
            self.stdout.write(
                f"{token.prefix}  {token.scope:6}  {keys.state(token, now):7}  {token.created:%Y-%m-%d}"
                f"  {used:21}  {token.name}{f' ({whose})' if whose else ''}"
            )

    def _revoke(self, options: dict[str, Any]) -> None:
        keys.revoke(_live(options["prefix"]))


def _live(prefix: str) -> Token:
    found = Token.objects.filter(prefix__startswith=prefix, revoked__isnull=True)
    if found.count() != 1:
        raise CommandError(f"{found.count()} live tokens start with {prefix!r}; token list shows them")
    return found.get()
