"""Other traces that this one is tied to, both ways, and what ties them.

Traces are tied by span links, as seen from either end, and by messages: one was sent in a trace and
handled in another, whether a link says so or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from timeline.domain import Hop, Span, Stored

_KIND = ("link.kind", "link.type", "opentracing.ref_type", "relationship")  # what senders say a link means

Toward = Literal["before", "after"]


class LinkedTrace(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A trace that came before this one, or that followed from it.

    ``here`` is the fact of this trace and ``there`` that of the other, ``None`` where it was never
    received; ``ties`` counts what ties the two in this direction, of which the first is told.
    """

    trace_id: str
    toward: Toward
    why: str
    here: str
    there: str | None = None
    service: str = ""
    name: str = ""
    at: int | None = None
    ties: int = 1


class _Tie(msgspec.Struct, gc=False):
    why: str
    here: Stored
    there: Stored | None


def linked_traces(
    trace_id: str, facts: Iterable[Stored], closure: Iterable[Stored], hops: Iterable[Hop]
) -> tuple[LinkedTrace, ...]:
    """Traces tied to ``trace_id``, what came before first, each direction in time order."""
    shown = {stored.receipt.id: stored for stored in facts}
    around = {stored.receipt.id: stored for stored in closure}
    spans = _spans(around.values())
    found: dict[tuple[str, Toward], list[_Tie]] = {}
    _by_message(trace_id, shown, around, hops, found)
    for stored in shown.values():
        for link in stored.fact.links if isinstance(stored.fact, Span) else ():
            if link.ref.trace_id != trace_id:
                there = spans.get((link.ref.trace_id, link.ref.span_id))
                tie = _Tie(_meaning(link.attributes, "links to it"), stored, there)
                found.setdefault((link.ref.trace_id, "before"), []).append(tie)
    own = _spans(shown.values())
    for stored in around.values():
        fact = stored.fact
        for link in fact.links if isinstance(fact, Span) and fact.ref.trace_id != trace_id else ():
            here = own.get((link.ref.trace_id, link.ref.span_id))
            if here is not None and isinstance(fact, Span):
                tie = _Tie(_meaning(link.attributes, "is linked from it"), here, stored)
                found.setdefault((fact.ref.trace_id, "after"), []).append(tie)
    told = [_told(trace, toward, ties) for (trace, toward), ties in found.items()]
    return tuple(sorted(told, key=lambda one: (one.toward == "after", one.at or 0, one.trace_id)))


def _spans(facts: Iterable[Stored]) -> dict[tuple[str, str], Stored]:
    return {
        (stored.fact.ref.trace_id, stored.fact.ref.span_id): stored
        for stored in facts
        if isinstance(stored.fact, Span)
    }


def _by_message(
    trace_id: str,
    shown: Mapping[str, Stored],
    around: Mapping[str, Stored],
    hops: Iterable[Hop],
    found: dict[tuple[str, Toward], list[_Tie]],
) -> None:
    """Hops with one side here and the other in another trace."""
    for hop in hops:
        taker, sender = hop.consumer or hop.receiver or "", hop.producer or ""
        what = f"a message of {hop.destination}" if hop.destination else "a message"
        if taker in shown and sender in around:
            tie = _Tie(f"sent {what} that was handled here", shown[taker], around[sender])
            toward: Toward = "before"
        elif sender in shown and taker in around:
            tie = _Tie(f"handled {what} that was sent here", shown[sender], around[taker])
            toward = "after"
        else:
            continue
        other = tie.there.fact.ref if tie.there is not None else None
        if other is not None and other.trace_id != trace_id:
            found.setdefault((other.trace_id, toward), []).append(tie)


def _meaning(attributes: Mapping[str, object], otherwise: str) -> str:
    """What the sender says of the link, else that there is one."""
    said = next((attributes[key] for key in _KIND if isinstance(attributes.get(key), str)), None)
    return f"span link, {said}" if said else f"a span {otherwise}"


def _told(trace_id: str, toward: Toward, ties: list[_Tie]) -> LinkedTrace:
    first = next((tie for tie in ties if tie.there is not None), ties[0])
    there = None if first.there is None else first.there.fact
    return LinkedTrace(
        trace_id=trace_id,
        toward=toward,
        why=first.why,
        here=first.here.receipt.id,
        there=None if first.there is None else first.there.receipt.id,
        service="" if there is None else there.service,
        name="" if there is None else there.name,
        at=None if there is None else there.at,
        ties=len({(tie.here.receipt.id, tie.there.receipt.id if tie.there else "") for tie in ties}),
    )
