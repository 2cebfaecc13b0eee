"""What every command that works with a node has in common."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from timeline.errors import ThroughlineError


class NodeCommand(BaseCommand):
    """Says in a sentence, with its remedy, what database, store or input do not allow."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command; raises ``CommandError`` for our own errors and for a database that is not there."""
        try:
            return super().execute(*args, **options)
        except ThroughlineError as error:
            raise CommandError("; ".join(filter(None, (error.message, error.remedy)))) from error
        except DatabaseError as error:
            raise CommandError(
                f"this node has no database yet, or it is away ({error}); start the node first, and give the"
                " command the environment that it runs with, THROUGHLINE_DATA_DIR before all"
            ) from error
