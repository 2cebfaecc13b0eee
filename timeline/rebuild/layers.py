"""A directed graph in layers, left to right, as a reader follows what flows through it.

In: nodes (not empty) and edges. Out: a ``Layout``. The same graph is always laid out the same; what
turns in circles is cut at the edge that points back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

_SWEEPS: Final = 6  # enough for the order within layers to settle on graphs that fit a page


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """``layers`` holds the nodes of each layer from top to bottom, and a waypoint for each edge that passes
    through; ``routes`` the waypoints of such an edge, in order. A waypoint is no node's name."""

    layers: tuple[tuple[str, ...], ...]
    routes: dict[tuple[str, str], tuple[str, ...]]


def layout(nodes: Iterable[str], edges: Iterable[tuple[str, str]]) -> Layout:
    """Lay a graph out; an edge leads to a later layer, save one that points back."""
    known = sorted(dict.fromkeys(nodes))
    forward = _without_cycles(known, sorted(set(edges)))
    depth = _depths(known, forward)
    found: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in known:
        found[depth[node]].append(node)
    routes: dict[tuple[str, str], tuple[str, ...]] = {}
    steps: list[tuple[str, str]] = []
    for source, target in forward:
        between = range(depth[source] + 1, depth[target])
        way = tuple(f"{source}\0{target}\0{layer}" for layer in between)
        for layer, waypoint in zip(between, way, strict=True):
            found[layer].append(waypoint)
        if way:
            routes[source, target] = way
        whole = (source, *way, target)
        steps += pairwise(whole)
    _settle(found, steps)
    return Layout(layers=tuple(map(tuple, found)), routes=routes)


def _settle(found: list[list[str]], steps: Sequence[tuple[str, str]]) -> None:
    """Order each layer by where its neighbours stand, there and back."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for source, target in steps:
        before.setdefault(target, []).append(source)
        after.setdefault(source, []).append(target)
    for sweep in range(_SWEEPS):
        towards, order = (before, found) if sweep % 2 == 0 else (after, list(reversed(found)))
        for layer in order:
            layer.sort(key=_middles(found, towards, layer).__getitem__)


def _middles(
    found: Sequence[Sequence[str]], towards: Mapping[str, Sequence[str]], layer: Sequence[str]
) -> dict[str, tuple[float, str]]:
    """Where the neighbours of each node stand on average, as a share of their layer; a node without any
    keeps its place."""
    place = {node: (number + 0.5) / len(row) for row in found for number, node in enumerate(row)}
    return {
        node: (sum(place[other] for other in others) / len(others) if others else place[node], node)
        for node in layer
        for others in (towards.get(node, ()),)
    }


def _without_cycles(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The edges but for those that lead back to where a walk from the sources came from."""
    targets: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in edges:
        if source != target:
            targets[source].append(target)
    entered = {target for source, target in edges if source != target}
    done: set[str] = set()
    kept: list[tuple[str, str]] = []
    for start in sorted(nodes, key=lambda node: (node in entered, node)):
        if start in done:
            continue
        path, todo = {start}, [(start, iter(targets[start]))]
        while todo:
            node, rest = todo[-1]
            target = next(rest, "")
            if not target:
                todo.pop()
                path.discard(node)
                done.add(node)
            elif target not in path:
                kept.append((node, target))
                if target not in done:
                    path.add(target)
                    todo.append((target, iter(targets[target])))
    return kept


def _depths(nodes: Sequence[str], forward: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest way to each node."""
    before: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in forward:
        before[target].append(source)
    depth: dict[str, int] = {}
    for start in nodes:
        todo = [start]
        while todo:
            node = todo[-1]
            open_ = [source for source in before[node] if source not in depth]
            if node in depth or not open_:
                depth.setdefault(node, 1 + max((depth[source] for source in before[node]), default=-1))
                todo.pop()
            else:
                todo.extend(open_)
    return depth
