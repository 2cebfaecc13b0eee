"""What must come before what: the edges that every order of a timeline extends."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, TypeAlias

import msgspec

from timeline.domain import Event, Span
from timeline.rebuild.facts import PRODUCING, Known, Ref, SequenceKey, sequence_key
from timeline.rebuild.family import Family
from timeline.rebuild.hops import Delivery

Why = Literal["parent", "link", "hop", "record", "offset", "sequence", "causation"]
Pair: TypeAlias = tuple[int, int]


class Causes(msgspec.Struct):
    """Edges by (cause, effect), each with the first reason found for it."""

    edges: dict[Pair, Why]
    loops: list[int]  # facts that name themselves as their own cause


def _links(known: list[Known], by_ref: dict[Ref, list[Known]]) -> Iterator[Pair]:
    for one in known:
        if isinstance(one.fact, Span):
            for link in one.fact.links:
                for target in by_ref.get((link.ref.trace_id, link.ref.span_id), ()):
                    yield target.index, one.index


def _hops(deliveries: list[Delivery]) -> Iterator[Pair]:
    for one in deliveries:
        for cause, effect in (
            (one.producer, one.receiver),
            (one.producer, one.consumer),
            (one.receiver, one.consumer),
            (one.consumer if one.consumer is not None else one.receiver, one.settled),
        ):
            if cause is not None and effect is not None:
                yield cause, effect


def _records(known: list[Known], deliveries: list[Delivery]) -> Iterator[Pair]:
    """A record is what its send span put there."""
    for one in deliveries:
        for fact in one.publication.facts:
            if known[fact].role == "record" and one.producer is not None:
                yield one.producer, fact


def _chain(groups: dict[SequenceKey, list[int]]) -> Iterator[Pair]:
    """Each group before the next, through one member of each, so that it stays linear."""
    ordered = [groups[key] for key in sorted(groups)]
    for before, after in pairwise(ordered):
        for index in before:
            yield index, after[0]
        for index in after[1:]:
            yield before[0], index


def _sequences(known: list[Known]) -> Iterator[Pair]:
    """What one source numbered, per role: its posted events, its send spans."""
    sources: dict[tuple[str, str], dict[SequenceKey, list[int]]] = {}
    for one in known:
        info = one.fact.event
        if info is None or not info.source or not info.sequence or one.role not in PRODUCING:
            continue
        chain = sources.setdefault((info.source, one.role), {})
        chain.setdefault(sequence_key(info.sequence), []).append(one.index)
    for chain in sources.values():
        yield from _chain(chain)


def _offsets(known: list[Known]) -> Iterator[Pair]:
    """The broker's own order of one partition: records, and sends that did not overlap."""
    logs: dict[tuple[object, ...], dict[SequenceKey, list[int]]] = {}
    for one in known:
        message = one.fact.message
        if message is None or message.offset is None or one.role not in ("record", "send"):
            continue
        log: tuple[object, ...] = (
            message.system,
            message.cluster,
            message.destination,
            message.partition,
            one.role,
        )
        logs.setdefault(log, {}).setdefault((1, message.offset, ""), []).append(one.index)
    for log, groups in logs.items():
        for before, after in _chain(groups):
            if log[-1] == "record" or not _overlap(known[before], known[after]):
                yield before, after


def _overlap(one: Known, other: Known) -> bool:
    if one.at is None or other.at is None:
        return False
    return one.at <= (other.until or other.at) and other.at <= (one.until or one.at)


def _causations(known: list[Known]) -> Iterator[Pair]:
    """The event that an event names as its cause, where the name fits one source only."""
    published: dict[str, list[Known]] = {}
    for one in known:
        if one.role in PRODUCING and one.fact.event is not None and one.fact.event.id:
            published.setdefault(one.fact.event.id, []).append(one)
    for one in known:
        info = one.fact.event
        if info is None or not info.causation_id or one.role not in PRODUCING:
            continue
        causes = published.get(info.causation_id, [])
        if len({cause.fact.event.source for cause in causes if cause.fact.event}) == 1:
            first = next((cause for cause in causes if isinstance(cause.fact, Event)), causes[0])
            yield first.index, one.index


def causes(
    known: list[Known], family: Family, by_ref: dict[Ref, list[Known]], deliveries: list[Delivery]
) -> Causes:
    """Every edge once; self references are put aside."""
    edges: dict[Pair, Why] = {}
    loops = list(family.loops)
    for child, parent in enumerate(family.parent):
        if parent is not None:
            edges[(parent, child)] = "parent"
    ways: list[tuple[Iterator[Pair], Why]] = [
        (_hops(deliveries), "hop"),
        (_links(known, by_ref), "link"),
        (_records(known, deliveries), "record"),
        (_causations(known), "causation"),
        (_sequences(known), "sequence"),
        (_offsets(known), "offset"),
    ]
    for pairs, why in ways:
        for cause, effect in pairs:
            if cause == effect:
                loops.append(cause)
            else:
                edges.setdefault((cause, effect), why)
    return Causes(edges=edges, loops=sorted(set(loops)))
