"""``manage.py token``: make, list and revoke tokens."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from timeline import keys
from timeline.models import Audit, Token


class Command(BaseCommand):
    """Tokens for the API (``--read``) and for senders (``--ingest``)."""

    help = "Make, list or revoke tokens: token create --read | --ingest, token list, token revoke PREFIX."

    def add_arguments(self, parser: CommandParser) -> None:
        """Three verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a token and print it once")
        scope = create.add_mutually_exclusive_group(required=True)
        scope.add_argument(
            "--read", dest="scope", action="store_const", const="read", help="may ask the HTTP API"
        )
        scope.add_argument(
            "--ingest", dest="scope", action="store_const", const="ingest", help="may send to the receiver"
        )
        create.add_argument("--name", default="from the command line", help="whose it is")
        create.add_argument("--days", type=int, help="days until it expires; never where left out")
        verbs.add_parser("list", help="show every token without its secret")
        revoke = verbs.add_parser("revoke", help="end a token")
        revoke.add_argument("prefix", help="its first characters, as token list shows them")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Carry out the verb."""
        try:
            self._carry_out(verb, **options)
        except DatabaseError as error:
            raise CommandError(
                f"this node has no database yet, or it is away ({error}); start the node first, and give the"
                " command the environment that it runs with, THROUGHLINE_DATA_DIR before all"
            ) from error

    def _carry_out(self, verb: str, **options: Any) -> None:
        if verb == "create":
            made = keys.create(options["name"], options["scope"], days=options["days"])
            Audit.objects.create(
                who="command line", what="token create", detail=f"{made[:16]} {options['name']}"[:1000]
            )
            self.stdout.write(made)
        elif verb == "list":
            for token in Token.objects.order_by("created"):
                state = "revoked" if token.revoked else "live"
                self.stdout.write(
                    f"{token.prefix}  {token.scope:6}  {state:7}  {token.created:%Y-%m-%d}  {token.name}"
                )
        else:
            found = Token.objects.filter(prefix__startswith=options["prefix"], revoked__isnull=True)
            if found.count() != 1:
                raise CommandError(
                    f"{found.count()} live tokens start with {options['prefix']!r}; token list shows them"
                )
            found.update(revoked=timezone.now())
            Audit.objects.create(who="command line", what="token revoke", detail=options["prefix"][:16])
