"""Which service feeds which through what, and how well: the hops of many stories, added up.

In: facts of messages. Out: a ``Flow`` for each producing service, destination and consumer group.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from timeline.domain import Hop, Stored
from timeline.rebuild.facts import Known, gather, references
from timeline.rebuild.family import family
from timeline.rebuild.hops import Delivery, deliveries

_SECOND = 10**9


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Half, 95 % and 99 % of the times measured were no longer (ns), by nearest rank."""

    p50: int
    p95: int
    p99: int


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """What one service sent through one destination to one consumer, as far as these facts tell.

    ``taken`` counts deliveries, ``failed`` and ``again`` those that failed or were not the first attempt;
    ``open`` counts messages that the group had not taken, ``oldest`` is when the first of these was sent.
    ``rate`` is deliveries a second between the first and the last. The fact ids are examples.
    """

    producer: str
    destination: str
    consumer: str
    group: str | None
    taken: int = 0
    failed: int = 0
    again: int = 0
    open: int = 0
    oldest: int | None = None
    rate: float | None = None
    wait: Spread | None = None
    work: Spread | None = None
    slowest: str = ""  # the handling that waited longest
    failure: str = ""  # the newest that failed
    waiting: str = ""  # the send of the oldest that nobody took


def flows(facts: Iterable[Stored], *, covered: bool = True, cut: bool = False) -> tuple[Flow, ...]:
    """All flows, by destination, producer and consumer. A group that reads a destination is expected to
    take each of its messages; with ``covered`` false nothing is said of those that were not taken. With
    ``cut`` there are older facts, and a delivery whose sending is not among these is left out."""
    known = gather(facts, ())
    by_ref = references(known)
    taken = deliveries(known, family(known, by_ref), by_ref, _groups(known), covered)
    consumers = {
        (hop.destination, hop.group): hop.consumer_service for hop in _hops(taken) if hop.consumer_service
    }
    parts: dict[tuple[str, str, str, str], list[Hop]] = {}
    for hop in _hops(taken):
        if hop.destination is None or hop.outcome == "unknown" or (cut and hop.producer is None):
            continue
        consumer = hop.consumer_service or consumers.get((hop.destination, hop.group), "")
        key = (hop.destination, hop.producer_service, consumer, hop.group or "")
        parts.setdefault(key, []).append(hop)
    return tuple(_flow(*key, hops) for key, hops in sorted(parts.items()))


def _hops(taken: Iterable[Delivery]) -> Iterable[Hop]:
    return (one.hop for one in taken)


def _groups(known: Iterable[Known]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for one in known:
        message = one.fact.message
        if message and message.destination and message.group and one.role in ("receive", "process", "settle"):
            found.setdefault(message.destination, set()).add(message.group)
    return {destination: frozenset(groups) for destination, groups in found.items()}


def _flow(destination: str, producer: str, consumer: str, group: str, hops: Sequence[Hop]) -> Flow:
    untaken = [hop for hop in hops if hop.outcome == "unconsumed"]
    handled = [hop for hop in hops if hop.outcome != "unconsumed"]
    failed = [hop for hop in handled if hop.outcome == "failed"]
    waited = [hop for hop in handled if hop.wait is not None and hop.attempt == 1]
    starts = [hop.started if hop.started is not None else hop.received for hop in handled]
    placed = [at for at in starts if at is not None]
    length = max(placed) - min(placed) if placed else 0
    slowest = max(waited, key=lambda hop: hop.wait or 0, default=None)
    failure = max(failed, key=lambda hop: hop.started or 0, default=None)
    waiting = min(untaken, key=lambda hop: hop.sent or 0, default=None)
    return Flow(
        producer=producer,
        destination=destination,
        consumer=consumer,
        group=group or None,
        taken=len(handled),
        failed=len(failed),
        again=sum(hop.attempt > 1 for hop in handled),
        open=len(untaken),
        oldest=waiting.sent if waiting else None,
        rate=(len(placed) - 1) * _SECOND / length if length else None,
        wait=spread([hop.wait for hop in waited if hop.wait is not None]),
        work=spread([hop.work for hop in handled if hop.work is not None]),
        slowest=(slowest.consumer or slowest.receiver or "") if slowest else "",
        failure=(failure.consumer or failure.receiver or "") if failure else "",
        waiting=(waiting.producer or "") if waiting else "",
    )


def spread(values: Sequence[int]) -> Spread | None:
    """The spread of some times, or ``None`` where there are none."""
    ranked = sorted(values)
    if not ranked:
        return None
    p50, p95, p99 = (ranked[-(-len(ranked) * share // 100) - 1] for share in (50, 95, 99))
    return Spread(p50=p50, p95=p95, p99=p99)
