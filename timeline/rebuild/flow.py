"""A trace as a graph: its services and destinations, and how much went between them."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median_low
from typing import Literal, TypeAlias

import msgspec

from timeline.domain import Timeline

Side: TypeAlias = tuple[Literal["service", "destination"], str]


class Edge(msgspec.Struct, kw_only=True, gc=False):
    """What went one way between two nodes.

    ``waits`` and ``works`` are in ns, of the deliveries that tell; ``open`` counts messages that the
    other side has not taken. ``fact`` is an example: the one that waited longest, else the first.
    """

    source: Side
    target: Side
    kind: Literal["call", "send", "take"]
    count: int = 0
    failed: int = 0
    open: int = 0
    again: int = 0
    waits: list[int] = []
    works: list[int] = []
    fact: str = ""
    longest: int = -1

    @property
    def usual(self) -> int | None:
        """The middle wait."""
        return median_low(self.waits) if self.waits else None


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes in first-seen order, and the edges between them."""

    nodes: tuple[Side, ...]
    edges: tuple[Edge, ...]
    spans: dict[str, int]  # spans of each service
    failed: dict[str, int]


def graph(timeline: Timeline) -> Graph:
    """Calls between services, what was sent to each destination, and what was taken from it."""
    edges: dict[tuple[Side, Side], Edge] = {}
    spans: dict[str, int] = {}
    failed: dict[str, int] = {}
    entries = {entry.fact: entry for entry in timeline.entries}
    carried = {(hop.producer, side) for hop in timeline.hops for side in (hop.consumer, hop.receiver)}

    def edge(source: Side, target: Side, kind: Literal["call", "send", "take"]) -> Edge:
        made = edges.get((source, target))
        if made is None:
            made = edges[source, target] = Edge(source=source, target=target, kind=kind, waits=[], works=[])
        return made

    for entry in timeline.entries:
        if entry.kind == "span":
            spans[entry.lane] = spans.get(entry.lane, 0) + 1
            failed[entry.lane] = failed.get(entry.lane, 0) + (entry.status == "error")
        above = entries.get(entry.parent) if entry.parent is not None else None
        if above is None or above.lane == entry.lane or (above.fact, entry.fact) in carried:
            continue
        made = edge(("service", above.lane), ("service", entry.lane), "call")
        made.count += 1
        made.failed += entry.status == "error"
        made.fact = made.fact or entry.fact
        if entry.at is not None and entry.until is not None:
            made.works.append(max(0, entry.until - entry.at))
    sent: set[tuple[object, ...]] = set()
    for hop in timeline.hops:
        place: Side = ("destination", hop.destination or "an unnamed destination")
        message = (hop.producer, hop.event, hop.destination, hop.partition, hop.offset)
        if hop.producer is not None and message not in sent:
            sent.add(message)
            made = edge(("service", hop.producer_service), place, "send")
            made.count += 1
            made.fact = made.fact or hop.producer
        made = edge(place, ("service", hop.consumer_service or hop.group or "nobody"), "take")
        side = hop.consumer or hop.receiver
        if side is None:
            made.open += 1
            made.fact = made.fact or hop.producer or ""
            continue
        made.count += hop.attempt == 1
        made.again += hop.attempt > 1
        made.failed += hop.outcome == "failed"
        if hop.work is not None:
            made.works.append(max(0, hop.work))
        if hop.wait is not None and hop.attempt == 1:
            made.waits.append(max(0, hop.wait))
        if hop.attempt == 1 and (hop.wait or 0) > made.longest:
            made.longest, made.fact = hop.wait or 0, side
    return Graph(nodes=_nodes(timeline, edges), edges=tuple(edges.values()), spans=spans, failed=failed)


def _nodes(timeline: Timeline, edges: Iterable[tuple[Side, Side]]) -> tuple[Side, ...]:
    nodes: dict[Side, None] = {("service", name): None for name in timeline.services}
    for source, target in edges:
        nodes[source] = nodes[target] = None
    return tuple(nodes)
