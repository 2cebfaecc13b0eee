"""Who is whose parent, and which parents were named and never received."""

from __future__ import annotations

import msgspec

from timeline.domain import Span, SpanRef
from timeline.rebuild.facts import PRODUCING, Known, Ref

_ENTRY_KINDS = ("server", "consumer")
_EXIT_KINDS = ("client", "producer")
_OF_CONSUMERS = ("receive", "process", "settle")


class Family(msgspec.Struct):
    """``parent[i]`` is the index of the parent of fact ``i``; ``missing[i]`` its absent address."""

    parent: list[int | None]
    missing: dict[int, SpanRef]
    loops: list[int]  # spans that name themselves as their parent

    def children(self) -> list[list[int]]:
        """Indices of the children of each fact, in raw order."""
        found: list[list[int]] = [[] for _ in self.parent]
        for child, parent in enumerate(self.parent):
            if parent is not None:
                found[parent].append(child)
        return found

    def ancestors(self, index: int, limit: int = 64) -> list[int]:
        """Nearest first; ends at ``limit``, so that a cycle ends too."""
        found: list[int] = []
        step = self.parent[index]
        while step is not None and len(found) < limit:
            found.append(step)
            step = self.parent[step]
        return found


def _choose(child: Known, candidates: list[Known]) -> Known:
    """Of two halves of one RPC, the half on the child's own side."""
    if len(candidates) == 1:
        return candidates[0]

    def rank(one: Known) -> tuple[bool, bool, int]:
        kind = one.fact.kind if isinstance(one.fact, Span) else ""
        return (one.service != child.service, kind not in _ENTRY_KINDS, one.index)

    return min(candidates, key=rank)


def family(known: list[Known], by_ref: dict[Ref, list[Known]]) -> Family:
    """Parents by span address; an event's parent is the span it was made in."""
    parent: list[int | None] = [None] * len(known)
    missing: dict[int, SpanRef] = {}
    loops: list[int] = []
    for one in known:
        fact = one.fact
        if isinstance(fact, Span):
            trace, own = fact.ref.trace_id, fact.ref.span_id
            if fact.kind in _ENTRY_KINDS and len(twins := by_ref[(trace, own)]) > 1:
                exits = [twin for twin in twins if twin.fact.kind in _EXIT_KINDS and twin is not one]
                if exits:
                    parent[one.index] = exits[0].index
                    continue
            if not fact.parent:
                continue
            if fact.parent == own:
                loops.append(one.index)
                continue
            address = (trace, fact.parent)
        elif fact.ref is not None and fact.ref.span_id:
            address = (fact.ref.trace_id, fact.ref.span_id)
        else:
            continue
        candidates = by_ref.get(address)
        if candidates:
            parent[one.index] = _choose(one, candidates).index
        else:
            missing[one.index] = SpanRef(trace_id=address[0], span_id=address[1])
    return Family(parent=parent, missing=missing, loops=loops)


def read_handlings(known: list[Known], kin: Family) -> None:
    """Make handlings of the receive spans that are open while their message is handled.

    Some instrumentations call the span around the handler *receive*. One that is the child of the span that
    sent its message began when the message was there already: what happens inside it is the handling.
    """
    for child, parent in enumerate(kin.parent):
        above = known[parent] if parent is not None else None
        if above is None or above.role != "receive" or known[child].role in _OF_CONSUMERS:
            continue
        if (
            not isinstance(above.fact, Span)
            or above.fact.kind != "consumer"
            or not _inside(above, known[child])
        ):
            continue
        sender = kin.parent[above.index]
        if sender is not None and known[sender].role in PRODUCING:
            above.role = "process"


def _inside(above: Known, one: Known) -> bool:
    return above.at is not None and one.at is not None and above.at <= one.at < (above.until or above.at)
