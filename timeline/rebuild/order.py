"""Causal order: a topological sort that falls back on time wherever causality is silent.

No timestamp is moved. A fact without a time comes right after what caused it, else right before what it
caused, else at the end. A cycle, which only wrong data can make, is cut at the edge that leaves its
latest fact.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from timeline.rebuild.causes import Pair
from timeline.rebuild.facts import Known

_ROUNDS = 8
_Rank: TypeAlias = tuple[int, int, int]


class Ordered(msgspec.Struct):
    """``sequence`` holds fact indices in causal order; ``cut`` the edges that closed cycles."""

    sequence: list[int]
    cut: list[Pair]


class _Graph:
    """Successors and open predecessors of every fact."""

    def __init__(self, size: int, edges: Iterable[Pair]) -> None:
        self.size = size
        self.after: list[list[int]] = [[] for _ in range(size)]
        self.waiting = [0] * size
        for cause, effect in edges:
            self.after[cause].append(effect)
            self.waiting[effect] += 1

    def sweep(self) -> list[int]:
        """Any topological order; shorter than the graph where there are cycles."""
        waiting = list(self.waiting)
        ready = deque(index for index in range(self.size) if not waiting[index])
        found: list[int] = []
        while ready:
            index = ready.popleft()
            found.append(index)
            for effect in self.after[index]:
                waiting[effect] -= 1
                if not waiting[effect]:
                    ready.append(effect)
        return found

    def by(self, ranks: list[int]) -> list[int]:
        """The topological order that takes the smallest rank whenever it has a choice."""
        waiting, place = list(self.waiting), [0] * self.size
        for index, rank in enumerate(ranks):
            place[rank] = index
        ready = [ranks[index] for index in range(self.size) if not waiting[index]]
        heapq.heapify(ready)
        found: list[int] = []
        while ready:
            index = place[heapq.heappop(ready)]
            found.append(index)
            for effect in self.after[index]:
                waiting[effect] -= 1
                if not waiting[effect]:
                    heapq.heappush(ready, ranks[effect])
        return found


def _components(nodes: list[int], after: dict[int, list[int]]) -> list[list[int]]:
    """Strongly connected components of more than one node (Tarjan, without recursion)."""
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    found: list[list[int]] = []
    for root in nodes:
        if root in number:
            continue
        work: list[tuple[int, int]] = [(root, 0)]
        while work:
            node, step = work.pop()
            if step == 0:
                number[node] = low[node] = len(number)
                stack.append(node)
                on_stack.add(node)
            rows = after.get(node, [])
            descended = False
            while step < len(rows):
                effect = rows[step]
                step += 1
                if effect not in number:
                    work.append((node, step))
                    work.append((effect, 0))
                    descended = True
                    break
                if effect in on_stack:
                    low[node] = min(low[node], number[effect])
            if descended:
                continue
            if low[node] == number[node]:
                component: list[int] = []
                while not component or component[-1] != node:
                    component.append(stack.pop())
                    on_stack.discard(component[-1])
                if len(component) > 1:
                    found.append(component)
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[node])
    return found


def cuts(size: int, edges: Iterable[Pair]) -> list[Pair]:
    """Edges to leave out so that no cycle stays.

    In each knot of cycles the edges out of its latest fact go first: the latest can have caused nothing
    earlier. Knots that outlast ``_ROUNDS`` lose every edge that runs back in time, so that this ends.
    """
    edges = list(edges)
    swept = set(_Graph(size, edges).sweep())
    if len(swept) == size:
        return []
    live = sorted(pair for pair in edges if pair[0] not in swept and pair[1] not in swept)
    cut: list[Pair] = []
    for turn in range(_ROUNDS + 1):
        after: dict[int, list[int]] = {}
        for cause, effect in live:
            after.setdefault(cause, []).append(effect)
        knots = _components(sorted(after), after)
        if not knots:
            break
        knot_of = {index: number for number, knot in enumerate(knots) for index in knot}
        latest = [max(knot) for knot in knots]
        kept: list[Pair] = []
        for cause, effect in live:
            number = knot_of.get(cause)
            if number is None or knot_of.get(effect) != number:
                continue  # on no cycle: free from here on
            back = cause == latest[number] if turn < _ROUNDS else cause > effect
            (cut if back else kept).append((cause, effect))
        live = kept
    return sorted(cut)


def _ranks(known: list[Known], edges: list[Pair], graph: _Graph) -> list[int]:
    """Raw order, with facts that have no time put beside what caused them or what they caused."""
    end = len(known)
    rank: list[_Rank | None] = [None if one.at is None else (one.index, 0, one.index) for one in known]
    if all(place is not None for place in rank):
        return list(range(end))
    before: list[list[int]] = [[] for _ in known]
    for cause, effect in edges:
        before[effect].append(cause)
    swept = graph.sweep()
    for index in swept:
        if rank[index] is None:
            above = [place for place in (rank[cause] for cause in before[index]) if place is not None]
            if above:
                last = max(above)
                rank[index] = (last[0], last[1] + 1, index)
    for index in reversed(swept):
        if rank[index] is None:
            below = [place for place in (rank[effect] for effect in graph.after[index]) if place is not None]
            if below:
                first = min(below)
                rank[index] = (first[0], first[1] - 1, index)
    whole = [(end, 0, index) if place is None else place for index, place in enumerate(rank)]
    ranks = [0] * end
    for position, index in enumerate(sorted(range(end), key=whole.__getitem__)):
        ranks[index] = position
    return ranks


def ordered(known: list[Known], edges: Iterable[Pair]) -> Ordered:
    """All facts, causes before effects; equal input in any order gives equal output."""
    pairs = list(edges)
    if all(one.at is not None for one in known) and all(cause < effect for cause, effect in pairs):
        return Ordered(sequence=list(range(len(known))), cut=[])  # time and causes agree, as they mostly do
    graph = _Graph(len(known), pairs)
    cut = [] if len(graph.sweep()) == len(known) else cuts(len(known), pairs)
    if cut:
        gone = set(cut)
        pairs = [pair for pair in pairs if pair not in gone]
        graph = _Graph(len(known), pairs)
    return Ordered(sequence=graph.by(_ranks(known, pairs, graph)), cut=cut)
