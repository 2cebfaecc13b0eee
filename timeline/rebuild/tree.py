"""A trace as a tree: every entry in depth-first order, and the messages of each batch below it.

Kept as lists of numbers, so that 50,000 entries cost a moment: what stands below place ``p`` are the
places ``p + 1`` to ``ends[p]``. Drawing happens elsewhere, for the rows that are looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TypeAlias

import msgspec

from timeline.domain import Entry, Timeline

MOST_MESSAGES = 2_000  # of one batch that get a row; the row above them says how many there were


class Batch(msgspec.Struct, frozen=True):
    """The row that opens into the messages of a batch: ``hops`` are indices in ``Timeline.hops``."""

    fact: str
    lane: str
    hops: tuple[int, ...]


class BatchMessage(msgspec.Struct, frozen=True):
    """One message of a batch, the ``number``-th of ``total``."""

    fact: str
    lane: str
    hop: int
    number: int
    total: int


Node: TypeAlias = Entry | Batch | BatchMessage


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a trace. Everything is by place; a place is a row's number from the top.

    ``below`` counts the facts below a place, ``failed`` says that one of them failed. ``early`` and
    ``late`` hold the first start and last end (ns) of children that began before their parent or
    outlived it. ``folded`` are the places that are closed unless the reader opens them.
    """

    nodes: tuple[Node, ...]
    parents: tuple[int, ...]  # -1 at the top
    depths: tuple[int, ...]
    children: tuple[int, ...]
    ends: tuple[int, ...]
    below: tuple[int, ...]
    failed: frozenset[int]
    early: dict[int, int]
    late: dict[int, int]
    folded: frozenset[int]
    deepest: int

    def inside(self, place: int) -> range:
        """The places below one."""
        return range(place + 1, self.ends[place])

    def direct(self, place: int) -> Iterator[int]:
        """The places right below one."""
        child, end = place + 1, self.ends[place]
        while child < end:
            yield child
            child = self.ends[child]

    def shown(self, closed: Collection[int], hidden: Collection[str] = ()) -> list[int]:
        """The places that are listed where these are closed and these lanes are left out."""
        found: list[int] = []
        place, size = 0, len(self.nodes)
        while place < size:
            if not hidden or self.nodes[place].lane not in hidden:
                found.append(place)
            place = self.ends[place] if place in closed else place + 1
        return found


def tree(timeline: Timeline) -> Tree:
    """Entries depth first, siblings in causal order, batches with a folded row for their messages."""
    below: dict[str, list[Entry]] = {}
    roots: list[Entry] = []
    listed = {entry.fact for entry in timeline.entries}
    for entry in timeline.entries:
        if entry.parent is not None and entry.parent in listed:
            below.setdefault(entry.parent, []).append(entry)
        else:
            roots.append(entry)
    batches = _batches(timeline, listed)
    nodes: list[Node] = []
    parents: list[int] = []
    depths: list[int] = []
    todo: list[tuple[Node, int, int]] = [(entry, -1, 0) for entry in reversed(roots)]
    while todo:
        node, parent, depth = todo.pop()
        place = len(nodes)
        nodes.append(node)
        parents.append(parent)
        depths.append(depth)
        inside: Sequence[Node]
        if isinstance(node, Entry):
            inside = below.get(node.fact, ())
            if node.fact in batches:
                inside = [Batch(fact=node.fact, lane=node.lane, hops=batches[node.fact]), *inside]
        else:
            inside = _messages(node) if isinstance(node, Batch) else ()
        todo.extend((child, place, depth + 1) for child in reversed(inside))
    return _summed(nodes, parents, depths)


def _messages(batch: Batch) -> list[Node]:
    total = len(batch.hops)
    return [
        BatchMessage(fact=batch.fact, lane=batch.lane, hop=hop, number=number, total=total)
        for number, hop in enumerate(batch.hops[:MOST_MESSAGES], start=1)
    ]


def _batches(timeline: Timeline, listed: set[str]) -> dict[str, tuple[int, ...]]:
    """The first delivery of each message, for spans that took several messages."""
    took: dict[str, list[int]] = {}
    for place, hop in enumerate(timeline.hops):
        side = hop.receiver or hop.consumer
        if side in listed and side is not None:
            took.setdefault(side, []).append(place)
    found: dict[str, tuple[int, ...]] = {}
    for side, hops in took.items():
        if len(hops) < 2:
            continue
        first: dict[tuple[object, ...], int] = {}
        for place in hops:
            hop = timeline.hops[place]
            first.setdefault((hop.event, hop.destination, hop.partition, hop.offset, hop.producer), place)
        if len(first) > 1:
            found[side] = tuple(first.values())
    return found


def _summed(nodes: list[Node], parents: list[int], depths: list[int]) -> Tree:
    """Counts and marks that go up from each row to those above it."""
    size = len(nodes)
    children, below, ends = [0] * size, [0] * size, list(range(1, size + 1))
    failed: set[int] = set()
    early: dict[int, int] = {}
    late: dict[int, int] = {}
    for place in range(size - 1, -1, -1):
        node, parent = nodes[place], parents[place]
        if parent < 0:
            continue
        children[parent] += 1
        ends[parent] = max(ends[parent], ends[place])
        below[parent] += below[place]
        if not isinstance(node, Entry):
            continue
        below[parent] += 1
        if node.status == "error" or place in failed:
            failed.add(parent)
        if "outlives parent" in node.badges and node.until is not None:
            late[parent] = max(node.until, late.get(parent, node.until))
        if "before parent" in node.badges and node.at is not None:
            early[parent] = min(node.at, early.get(parent, node.at))
    return Tree(
        nodes=tuple(nodes),
        parents=tuple(parents),
        depths=tuple(depths),
        children=tuple(children),
        ends=tuple(ends),
        below=tuple(below),
        failed=frozenset(failed),
        early=early,
        late=late,
        folded=frozenset(place for place, node in enumerate(nodes) if isinstance(node, Batch)),
        deepest=max(depths, default=-1) + 1,
    )
