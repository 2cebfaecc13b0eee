"""``manage.py signin_link``: another one-time link."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from timeline import keys
from timeline.management.command import NodeCommand


class Command(NodeCommand):
    """Prints a link that signs its opener in once, within half an hour."""

    help = "Print a one-time sign-in link."

    def handle(self, *args: Any, **options: Any) -> None:
        """Make and print it."""
        path = keys.create_link(keys.first_user())
        self.stdout.write(f"http://127.0.0.1:{settings.THROUGHLINE['THROUGHLINE_WEB_PORT']}{path}")
