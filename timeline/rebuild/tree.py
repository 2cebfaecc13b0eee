"""A trace as a waterfall: rows in tree order with their bars and waits on one folded axis."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from timeline.domain import Entry, Stored, Timeline
from timeline.rebuild.facts import leaders
from timeline.rebuild.scale import WIDTH, Scale, scale
from timeline.rebuild.waits import Wait, waits
from timeline.search.times import format_span

OPEN = 24.0  # width of a wait that has no end


class TreeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row. ``hidden`` counts the facts below it that a collapsed branch leaves out.

    ``inherited_error`` says that something below failed; ``hops`` are indices in ``Timeline.hops``.
    """

    entry: Entry
    stored: Stored | None
    depth: int
    children: int
    descendants: int
    hidden: int = 0
    own_error: bool = False
    inherited_error: bool = False
    waits: tuple[Wait, ...] = ()
    hops: tuple[int, ...] = ()


class DrawnWait(msgspec.Struct, frozen=True, kw_only=True):
    """A wait on the axis; ``split`` is where the broker's part ends and the consumer's begins."""

    wait: Wait
    x: float
    width: float
    split: float | None
    label: str


class WaterfallRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row with its bar; ``x`` is ``None`` for a fact without a time.

    ``side`` is where the label has more room; ``break_before`` is the index of the break that this row
    comes after.
    """

    row: TreeRow
    x: float | None
    width: float
    point: bool
    label: str
    side: str
    waits: tuple[DrawnWait, ...] = ()
    break_before: int | None = None


class Waterfall(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a drawing of a trace needs; positions run from 0 to 1000."""

    rows: tuple[WaterfallRow, ...]
    scale: Scale
    total: int
    depth: int
    waiting: int  # ns that messages waited, first attempts only
    work: int  # ns in handlers


def rows(
    timeline: Timeline, facts: Iterable[Stored], *, collapsed: frozenset[str] = frozenset()
) -> list[TreeRow]:
    """Entries depth first, siblings in causal order; below a collapsed id nothing is listed."""
    known = leaders(facts)
    entries = {entry.fact: entry for entry in timeline.entries}
    children: dict[str, list[Entry]] = {}
    roots: list[Entry] = []
    for entry in timeline.entries:
        if entry.parent is not None and entry.parent in entries:
            children.setdefault(entry.parent, []).append(entry)
        else:
            roots.append(entry)
    below, failed = _summed(timeline.entries, entries)
    waiting = waits(timeline)
    hops: dict[str, list[int]] = {}
    for place, hop in enumerate(timeline.hops):
        for side in {hop.producer, hop.receiver, hop.consumer, hop.settled} - {None}:
            hops.setdefault(str(side), []).append(place)
    found: list[TreeRow] = []
    todo = [(entry, 0) for entry in reversed(roots)]
    while todo:
        entry, depth = todo.pop()
        inside = children.get(entry.fact, [])
        closed = entry.fact in collapsed and bool(inside)
        found.append(
            TreeRow(
                entry=entry,
                stored=known.get(entry.fact),
                depth=depth,
                children=len(inside),
                descendants=below.get(entry.fact, 0),
                hidden=below.get(entry.fact, 0) if closed else 0,
                own_error=entry.status == "error",
                inherited_error=entry.fact in failed,
                waits=waiting.get(entry.fact, ()),
                hops=tuple(hops.get(entry.fact, ())),
            )
        )
        if not closed:
            todo.extend((child, depth + 1) for child in reversed(inside))
    return found


def _summed(ordered: tuple[Entry, ...], entries: dict[str, Entry]) -> tuple[dict[str, int], set[str]]:
    """Facts below each entry, and who has a failure below; children follow parents in ``ordered``."""
    below: dict[str, int] = {}
    failed: set[str] = set()
    for entry in reversed(ordered):
        if entry.parent is None or entry.parent not in entries:
            continue
        below[entry.parent] = below.get(entry.parent, 0) + below.get(entry.fact, 0) + 1
        if entry.status == "error" or entry.fact in failed:
            failed.add(entry.parent)
    return below, failed


def waterfall(
    timeline: Timeline,
    facts: Iterable[Stored],
    *,
    collapsed: frozenset[str] = frozenset(),
    fold: bool = True,
    fold_waits: bool = True,
    keep: frozenset[int] = frozenset(),
) -> Waterfall:
    """The rows with their bars. ``fold`` folds idle time, ``fold_waits`` also where a message waited.

    ``keep`` names breaks, by the ns at which they begin, that the reader opened.
    """
    listed = rows(timeline, facts, collapsed=collapsed)
    axis = axis_of(timeline, fold=fold, fold_waits=fold_waits, keep=keep)
    found: list[WaterfallRow] = []
    passed = 0
    for row in listed:
        at = row.entry.at
        crossed = None
        while at is not None and passed < len(axis.breaks) and at >= axis.breaks[passed].end:
            crossed, passed = passed, passed + 1
        found.append(_drawn(row, axis, crossed))
    first = [hop for hop in timeline.hops if hop.attempt == 1]
    return Waterfall(
        rows=tuple(found),
        scale=axis,
        total=len(timeline.entries),
        depth=max((row.depth + 1 for row in listed), default=0),
        waiting=sum(max(0, hop.wait or 0) for hop in first),
        work=sum(max(0, hop.work or 0) for hop in timeline.hops),
    )


def axis_of(timeline: Timeline, *, fold: bool, fold_waits: bool, keep: frozenset[int]) -> Scale:
    """The axis of a timeline's entries; with ``fold_waits`` off, waiting is not idle."""
    spans = [
        (entry.at, entry.at if entry.until is None else entry.until)
        for entry in timeline.entries
        if entry.at is not None
    ]
    if not fold_waits:
        waiting = [wait for rows in waits(timeline).values() for wait in rows]
        spans += [(wait.start, wait.end) for wait in waiting if wait.end is not None]
    return scale(spans, fold=fold, keep=keep)


def drawn_wait(wait: Wait, axis: Scale) -> DrawnWait:
    """A wait on the axis."""
    x = axis.x(wait.start)
    width = OPEN if wait.end is None else axis.width(wait.start, wait.end)
    label = "not taken yet" if wait.end is None else format_span(wait.end - wait.start)
    return DrawnWait(
        wait=wait,
        x=x,
        width=width,
        split=None if wait.received is None else axis.x(wait.received),
        label=label,
    )


def _drawn(row: TreeRow, axis: Scale, crossed: int | None) -> WaterfallRow:
    entry = row.entry
    x = None if entry.at is None else axis.x(entry.at)
    width, label = 0.0, ""
    if entry.at is not None and entry.until is not None:
        width = axis.width(entry.at, entry.until)
        label = format_span(entry.until - entry.at)
    end = (x or 0.0) + width
    return WaterfallRow(
        row=row,
        x=x,
        width=width,
        point=entry.until is None,
        label=label,
        side="right" if WIDTH - end >= (x or 0.0) else "left",
        waits=tuple(drawn_wait(wait, axis) for wait in row.waits),
        break_before=crossed,
    )
