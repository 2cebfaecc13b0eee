"""Who sends, what waits, what was refused and set aside, and when nobody was there."""

from __future__ import annotations

import time

from django.db.models import Max, Sum

from timeline.answers import Account, NodeView, QuarantineView, SendersAnswer, SenderView
from timeline.inbox.inbox import Inbox
from timeline.models import Node, Outage, Quarantined, Refusal, Sender
from timeline.reading.accounting import BESIDE, PARTS, summed
from timeline.reading.nodes import SILENT, reports

_SHOWN = 200


def senders(inbox: Inbox, node: str, *, workspace: str = "main") -> SendersAnswer:
    """The state of the way in, summed over all nodes.

    Tally and backlog of a node are of one instant: this one is asked itself, the others by their last report.
    """
    now = time.time_ns()
    books = inbox.books()
    backlog = books.backlog
    others = reports(Node.objects.all(), now, own=node)
    accounts = summed(books, others, now)
    oldest = [at for at in (backlog.oldest, *(other.oldest for other in others)) if at is not None]
    refused = (
        Refusal.objects.filter(workspace=workspace).values("reason").annotate(n=Sum("items"), at=Max("last"))
    )
    kept = Quarantined.objects.filter(workspace=workspace, state=Quarantined.State.KEPT)
    return SendersAnswer(
        senders=tuple(
            _sender(row) for row in Sender.objects.filter(workspace=workspace).order_by("-last")[:_SHOWN]
        ),
        nodes=tuple(
            NodeView(
                name=row.name,
                role=row.role,
                started=row.started,
                beat=row.beat,
                up=now - row.beat < SILENT,
            )
            for row in Node.objects.order_by("name", "role")
        ),
        tally=_tally(accounts.total),
        refused=tuple((row["reason"], row["n"], row["at"]) for row in refused.order_by("-at")),
        quarantine=tuple(
            QuarantineView(reason=row["reason"], message=row["message"], items=row["n"], last=row["last"])
            for row in kept.values("reason")
            .annotate(n=Sum("items"), last=Max("at"), message=Max("message"))
            .order_by("-last")
        ),
        outages=tuple(Outage.objects.order_by("-end").values_list("start", "end", "reason")[:_SHOWN]),
        pending_requests=backlog.requests + sum(other.requests for other in others),
        pending_items=backlog.items + sum(other.items for other in others),
        oldest_pending=min(oldest, default=None),
        accounting=accounts,
    )


def _tally(total: Account) -> dict[str, int]:
    """The sum over all senders, with what stands beside it."""
    beside = {name: count for name in BESIDE if (count := getattr(total, name))}
    return {"received": total.received, **{part: getattr(total, part) for part in PARTS}, **beside}


def _sender(row: Sender) -> SenderView:
    return SenderView(
        service=row.service,
        version=row.version,
        sdk=row.sdk,
        environment=row.environment,
        facts=row.facts,
        first=row.first,
        last=row.last,
        skew=row.ahead if row.ahead is not None and row.ahead > 0 else None,
        sampled=row.sampled_at is not None,
        complete=row.complete,
        declared_by=row.declared_by,
    )
