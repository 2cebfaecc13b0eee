"""How long messages usually wait, for the hops that a page shows.

Looked up from the newest deliveries of the same destination and consumer, a bounded number of them, and
remembered for a minute. Where too few are known nothing is said.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median_low

from timeline.answers import UsualWait
from timeline.domain import Hop, Span, Stored, Timeline
from timeline.rebuild.assemble import timeline
from timeline.search.query import And, AttributeIs, FieldIs, Node, Or, Query, Window
from timeline.store.port import Store
from tracing import semconv

DELIVERIES = 60  # looked at for one hop
PAIRS = 6  # of destination and consumer, those that waited longest first
ENOUGH = 5  # deliveries that make a usual wait
_HOUR = 3600 * 10**9
_FRESH = 60.0  # s
_MANY = 1_000  # pairs remembered
_Key = tuple[str, str, str, int]
_Waits = tuple[tuple[str, int], ...]  # trace id and wait in ns


class UsualWaits:
    """Usual waits, from one store; safe to share: the worst of a race is a look-up made twice."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._known: dict[_Key, tuple[_Waits, float]] = {}

    def of(self, story: Timeline, trace_id: str, workspace: str) -> tuple[UsualWait, ...]:
        """The usual wait of the hops in a story, judged by the traces that are not this one."""
        found: list[UsualWait] = []
        for hop in itertools.islice(_pairs(story.hops), PAIRS):
            others = [wait for trace, wait in self._waits(hop, workspace) if trace != trace_id]
            if len(others) >= ENOUGH:
                found.append(
                    UsualWait(
                        destination=hop.destination or "",
                        consumer=hop.group or hop.consumer_service,
                        median=max(0, median_low(others)),
                        deliveries=len(others),
                    )
                )
        return tuple(found)

    def _waits(self, hop: Hop, workspace: str) -> _Waits:
        hour = (hop.sent or 0) // _HOUR
        key = (workspace, hop.destination or "", hop.group or hop.consumer_service, hour)
        known, asked = self._known.get(key, ((), -_FRESH))
        if self._clock() - asked < _FRESH:
            return known
        found = self._look(hop, workspace, Window(start=(hour - 24) * _HOUR, end=(hour + 1) * _HOUR))
        if len(self._known) >= _MANY:
            self._known.clear()
        self._known[key] = found, self._clock()
        return found

    def _look(self, hop: Hop, workspace: str, window: Window) -> _Waits:
        whose: Node = (
            AttributeIs(semconv.MESSAGING_CONSUMER_GROUP_NAME, hop.group)
            if hop.group
            else FieldIs("service", hop.consumer_service)
        )
        where = And(
            (
                FieldIs("destination", hop.destination or ""),
                AttributeIs(semconv.MESSAGING_OPERATION_TYPE, "process"),
                whose,
            )
        )
        page = self._store.search(Query(where=where, window=window, workspace=workspace), limit=DELIVERIES)
        takers = [stored for stored in page.facts if not stored.receipt.variant]
        traces = {stored.receipt.id: stored.fact.ref.trace_id for stored in takers if stored.fact.ref}
        return tuple(
            (traces.get(each.consumer or "", ""), each.wait)
            for each in deliveries(self._store, takers, workspace)
            if each.wait is not None and each.attempt == 1 and each.destination == hop.destination
        )


def deliveries(store: Store, takers: Sequence[Stored], workspace: str) -> tuple[Hop, ...]:
    """The hops by which these handlings got their messages; their senders are looked up, a bounded number."""
    senders = tuple(_senders(takers))
    if not senders:
        return ()
    asked = Query(where=Or(senders), workspace=workspace)
    sent = list(itertools.islice(store.facts_of(asked), 4 * len(takers)))
    return timeline("deliveries", list(takers), closure=sent).hops


def waits_of(store: Store, facts: Iterable[Stored], workspace: str) -> dict[str, int]:
    """How long (ns) the message of each first handling among these had waited, by the handling's fact id."""
    takers = [one for one in facts if isinstance(one.fact, Span) and one.fact.kind == "consumer"]
    hops = deliveries(store, [one for one in takers if not one.receipt.variant], workspace)
    return {
        hop.consumer: hop.wait for hop in hops if hop.consumer and hop.wait is not None and hop.attempt == 1
    }


def _pairs(hops: Iterable[Hop]) -> Iterable[Hop]:
    """The longest first wait of each destination and consumer, the longest of all first."""
    longest: dict[tuple[str, str], Hop] = {}
    for hop in hops:
        if hop.wait is None or hop.attempt != 1 or not hop.destination:
            continue
        key = (hop.destination, hop.group or hop.consumer_service)
        if key not in longest or hop.wait > (longest[key].wait or 0):
            longest[key] = hop
    return sorted(longest.values(), key=lambda hop: (-(hop.wait or 0), hop.destination or ""))


def _senders(takers: Iterable[Stored]) -> Iterable[Node]:
    """What finds the send spans of these handlings: the parent, the linked span, the message id."""
    found: dict[tuple[str, str], Node] = {}
    for stored in takers:
        fact = stored.fact
        if not isinstance(fact, Span):
            continue
        refs = [(link.ref.trace_id, link.ref.span_id) for link in fact.links[:4]]
        if fact.parent:
            refs.append((fact.ref.trace_id, fact.parent))
        for trace, span in refs:
            found[trace, span] = And((FieldIs("trace_id", trace), FieldIs("span_id", span)))
        if fact.message is not None and fact.message.id:
            found["", fact.message.id] = And(
                (
                    AttributeIs(semconv.MESSAGING_MESSAGE_ID, fact.message.id),
                    AttributeIs(semconv.MESSAGING_OPERATION_TYPE, "send"),
                )
            )
    return found.values()
