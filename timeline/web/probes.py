"""Is the process up, could it answer, and what do the counters say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from timeline import wiring
from timeline.answers import Account
from timeline.errors import ThroughlineError, Unavailable
from timeline.reading.accounting import of_node
from timeline.web import problems
from timeline.web.readers import may_read


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:
    """Store and inbox answer too; else 503 with what does not."""
    try:
        wiring.reader().check()
        wiring.inbox().backlog()
    except ThroughlineError as error:
        return problems.of(error, logged=False)
    return HttpResponse("ready\n", content_type="text/plain")


@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """The accounting of this node and the figures of all its processes, in Prometheus' text format or
    OpenMetrics as asked; a read token or a session asks."""
    if not may_read(request):
        return problems.problem(
            401, "Who are you?", "this needs a read token", remedy="manage.py token create --read"
        )
    registry = CollectorRegistry(auto_describe=False)
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(_Books())
    encode, media = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=media)


class _Books(Collector):
    """What the inbox and the store say when they are asked."""

    def collect(self) -> Iterator[Metric]:
        """Every figure of one instant."""
        books = wiring.inbox().books()
        accounts = of_node(books)
        items = CounterMetricFamily(
            "throughline_items", "Items by what became of them.", labels=("sender", "what", "reason")
        )
        kept = GaugeMetricFamily(
            "throughline_items_quarantined",
            "Items that could not be stored; replaying and discarding takes from them.",
            labels=("sender", "reason"),
        )
        for tally in books.tallies:
            if tally.what == "quarantined":  # a counter that falls would be taken for one that began anew
                kept.add_metric((tally.sender, tally.reason), tally.items)
            else:
                items.add_metric((tally.sender, tally.what, tally.reason), tally.items)
        yield items
        yield kept
        for name, text, figure in _OF_INBOX:
            yield GaugeMetricFamily(
                f"throughline_inbox_{name}", text, value=figure(accounts.total, accounts.now)
            )
        for name, text, figure in _OF_SENDER:
            family = GaugeMetricFamily(f"throughline_sender_{name}", text, labels=("sender",))
            for one in accounts.accounts:
                family.add_metric((one.sender,), figure(one, accounts.now))
            yield family
        try:
            held = wiring.reader().size(seen=True)
        except Unavailable:
            return  # the figures of what waits for the store are wanted most while it is away
        for name, value in held.items():
            yield GaugeMetricFamily(f"throughline_store_{name}", "Of the store.", value=value)


_Figure = Callable[[Account, int], float]
_OF_INBOX: Final[tuple[tuple[str, str, _Figure], ...]] = (
    ("requests", "Requests accepted and not yet released.", lambda one, now: one.requests),
    ("items", "Items accepted and not yet released.", lambda one, now: one.inbox),
    ("oldest_seconds", "Since when the longest waiting request waits.", lambda one, now: _age(one, now)),
    ("in_per_second", "Items accepted a second, over the last minute.", lambda one, now: one.came),
    ("out_per_second", "Items released a second, over the last minute.", lambda one, now: one.went),
    ("empty_seconds", "Until nothing waits, if all goes on so; +Inf where it does not empty.", lambda one, now: _empty(one)),
)  # fmt: skip
_OF_SENDER: Final[tuple[tuple[str, str, _Figure], ...]] = (
    ("inbox_items", "Items of a sender that wait.", lambda one, now: one.inbox),
    (
        "inbox_oldest_seconds",
        "Since when its longest waiting request waits.",
        lambda one, now: _age(one, now),
    ),
    ("unaccounted_items", "Items received and in no other figure: 0.", lambda one, now: one.unaccounted),
)


def _age(one: Account, now: int) -> float:
    return 0.0 if one.oldest is None else round(max(now - one.oldest, 0) / 1e9, 3)


def _empty(one: Account) -> float:
    return math.inf if one.empty_in is None else one.empty_in
