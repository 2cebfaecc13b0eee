"""``manage.py retire``: a node that will not come back."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Min

from timeline.management.command import NodeCommand
from timeline.models import Audit, Node, Outage
from timeline.reading.nodes import READERS, SILENT


class Command(NodeCommand):
    """A silent node holds every answer back to its last heartbeat, until someone says it is gone."""

    help = "Retire a node that will not come back: its silence until now is kept as an outage."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which one."""
        parser.add_argument("name", help="its name, as /senders shows it")
        parser.add_argument("--role", help="only this process of it: receiver, worker, consumer or tap")
        parser.add_argument(
            "--abandon",
            action="store_true",
            help="even though requests wait in its inbox, which are then lost to all",
        )

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        """Close its outage at this moment and forget its processes; what was recorded stays recorded."""
        now = time.time_ns()
        nodes = list(Node.objects.filter(name=name, **({"role": options["role"]} if options["role"] else {})))
        if not nodes:
            known = ", ".join(sorted(set(Node.objects.values_list("name", flat=True)))) or "none"
            raise CommandError(f"no node is called {name!r}; there are: {known}")
        if any(now - node.beat < SILENT for node in nodes):
            raise CommandError(f"{name} is alive; stop it first")
        # what a reader of Kafka has before it still lies in Kafka
        inbox = [node for node in nodes if node.role not in READERS]
        pending = max(inbox, key=lambda node: node.beat).pending_requests if inbox else 0
        if pending and not options["abandon"]:
            raise CommandError(
                f"{pending:,} requests waited in the inbox of {name} when it last reported. Start it"
                " again to have them indexed, or move its data folder to another node; --abandon gives them up"
            )
        for node in nodes:
            if node.role == "receiver":
                # the others answer for the time since the first of all began
                others = Node.objects.filter(role="receiver", since__gt=node.since).exclude(name=name)
                others.filter(since=others.aggregate(first=Min("since"))["first"]).update(since=node.since)
                Outage.objects.create(node=name, start=node.beat, end=now, reason="the node was retired")
            node.delete()
        detail = f"{name}: {pending} requests given up" if pending else name
        Audit.objects.create(who="command line", what="retire", detail=detail)
