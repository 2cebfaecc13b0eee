"""The critical path: what the end of a trace had to wait for, moment by moment.

Walked back from the last end. Inside a span the child that ended last before this moment is what was
waited for; before a span begins, its parent, and before a message is handled, its time in the broker.
Every moment belongs to at most one row. A child that ends later held nothing up and is passed over.
"""

from __future__ import annotations

from typing import TypeAlias

from timeline.domain import Entry
from timeline.rebuild.tree import Tree

Parts: TypeAlias = dict[int, list[tuple[int, int]]]  # by place, (start, end) in ns


def critical_path(tree: Tree) -> Parts:
    """The parts of the path, by the place of the row they lie on; latest first."""
    parts: Parts = {}
    last = _last(tree)
    if last is None:
        return parts
    place, now = last, _end(tree, last) or 0
    while place >= 0:
        now = _back(tree, place, now, parts)
        parent = tree.parents[place]
        ended = _end(tree, parent) if parent >= 0 else None
        if ended is not None and ended < now:
            row, now = _attempts_before(tree, parent, place, now, parts)
            if ended < now:
                parts.setdefault(row, []).append((ended, now))  # the message waited, or nobody was at work
                now = ended
        place = parent
    return parts


def _attempts_before(tree: Tree, parent: int, place: int, now: int, parts: Parts) -> tuple[int, int]:
    """Goes back through earlier attempts at the same message; returns the first of them and its start."""
    if not _attempt(tree, place):
        return place, now
    for end, _, child in reversed(_waited_for(tree, parent)):
        if child != place and end <= now and _attempt(tree, child) == _attempt(tree, place):
            if end < now:
                parts.setdefault(place, []).append((end, now))  # the pause between the two
            now = _back(tree, child, end, parts)
            place = child
    return place, now


def _attempt(tree: Tree, place: int) -> tuple[str, str, str] | None:
    """What attempts at one message have in common: service, name, and of how many they are."""
    node = tree.nodes[place]
    badge = next((b for b in node.badges if b.startswith("attempt ")), "") if isinstance(node, Entry) else ""
    return (node.lane, node.what, badge.rpartition(" of ")[2]) if badge and isinstance(node, Entry) else None


def _last(tree: Tree) -> int | None:
    """The row that ends last; of several the first."""
    found, latest = None, 0
    for place, node in enumerate(tree.nodes):
        if isinstance(node, Entry) and node.at is not None:
            end = node.at if node.until is None else node.until
            if found is None or end > latest:
                found, latest = place, end
    return found


def _end(tree: Tree, place: int) -> int | None:
    node = tree.nodes[place]
    if not isinstance(node, Entry):
        return None
    return node.at if node.until is None else node.until


def _waited_for(tree: Tree, place: int) -> list[tuple[int, int, int]]:
    """Children with a length as (end, start, place), the last to end at the end."""
    found: list[tuple[int, int, int]] = []
    for child in tree.direct(place):
        node = tree.nodes[child]
        if (
            isinstance(node, Entry)
            and node.at is not None
            and node.until is not None
            and node.until > node.at
        ):
            found.append((node.until, node.at, child))
    found.sort()
    return found


def _back(tree: Tree, place: int, now: int, parts: Parts) -> int:
    """Goes from ``now`` back to the start of a row, through what it waited for; returns where that is."""
    stack = [(place, _waited_for(tree, place))]
    while stack:
        at, waited = stack[-1]
        node = tree.nodes[at]
        start = node.at if isinstance(node, Entry) and node.at is not None else now
        while waited and waited[-1][0] > now:
            waited.pop()
        if waited and waited[-1][0] > start:
            end, _, child = waited.pop()
            if end < now:
                parts.setdefault(at, []).append((end, now))
            now = end
            stack.append((child, _waited_for(tree, child)))
            continue
        if start < now:
            parts.setdefault(at, []).append((start, now))
            now = start
        stack.pop()
    return now
