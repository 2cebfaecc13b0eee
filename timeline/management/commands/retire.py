"""``manage.py retire``: a node that will not come back."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from timeline.models import Audit, Node, Outage
from timeline.reading.coverage import SILENT


class Command(BaseCommand):
    """A silent node holds every answer back to its last heartbeat, until someone says it is gone."""

    help = "Retire a node that will not come back: its silence until now is kept as an outage."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which one."""
        parser.add_argument("name", help="its name, as /senders shows it")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        """Close its outage at this moment and forget its processes."""
        now = time.time_ns()
        nodes = list(Node.objects.filter(name=name))
        if not nodes:
            known = ", ".join(sorted(set(Node.objects.values_list("name", flat=True)))) or "none"
            raise CommandError(f"no node is called {name!r}; there are: {known}")
        if any(now - node.beat < SILENT for node in nodes):
            raise CommandError(f"{name} is alive; stop it first")
        for node in nodes:
            if node.role == "receiver":
                Outage.objects.create(node=name, start=node.beat, end=now, reason="the node was retired")
            node.delete()
        Audit.objects.create(who="command line", what="retire", detail=name)
