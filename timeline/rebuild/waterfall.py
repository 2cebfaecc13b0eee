"""A trace as a waterfall: its tree on one folded axis, each row drawn when it is looked at."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

import msgspec

from timeline.domain import Entry, Stored, Timeline
from timeline.rebuild.critical import critical_path
from timeline.rebuild.facts import leaders
from timeline.rebuild.scale import WIDTH, Scale, scale
from timeline.rebuild.tree import Batch, BatchMessage, Node, Tree, tree
from timeline.rebuild.waits import Wait, waits
from timeline.search.times import format_span

OPEN = 24.0  # width of a wait that has no end
FINE = 0.5  # gaps in the critical path that are narrower are not drawn


class DrawnWait(msgspec.Struct, frozen=True, kw_only=True):
    """A wait on the axis; ``split`` is where the broker's part ends and the consumer's begins."""

    wait: Wait
    x: float
    width: float
    split: float | None
    label: str


class WaterfallRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row with its bar; ``x`` is ``None`` for a fact without a time.

    ``early`` and ``late`` are where lines to children reach that begin before it or outlive it;
    ``critical`` are the parts (x, width) of the critical path on it, ``critical_below`` also those on
    the rows below: what it shows when it is closed.
    """

    place: int
    node: Node
    stored: Stored | None
    depth: int
    children: int
    below: int
    own_error: bool
    inherited_error: bool
    x: float | None
    width: float
    label: str
    side: str  # where the label has more room
    waits: tuple[DrawnWait, ...] = ()
    early: float | None = None
    late: float | None = None
    critical: tuple[tuple[float, float], ...] = ()
    critical_below: tuple[tuple[float, float], ...] = ()


class Waterfall(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a drawing of a trace needs; positions run from 0 to 1000.

    ``breaks`` gives the break of the axis that comes before the row at a place.
    """

    tree: Tree
    scale: Scale
    facts: dict[str, Stored]
    waits: dict[str, tuple[Wait, ...]]
    critical: dict[int, list[tuple[int, int]]]
    on_path: list[int]  # the places of ``critical``, in order
    breaks: dict[int, int]
    timeline: Timeline
    waiting: int  # ns that messages waited, first attempts only
    work: int  # ns in handlers

    def row(self, place: int) -> WaterfallRow:
        """One row."""
        kin, node = self.tree, self.tree.nodes[place]
        start, end = self._times(node)
        x = None if start is None else self.scale.x(start)
        width = 0.0 if start is None or end is None else self.scale.width(start, end)
        early, late = kin.early.get(place), kin.late.get(place)
        entry = node if isinstance(node, Entry) else None
        return WaterfallRow(
            place=place,
            node=node,
            stored=self.facts.get(node.fact) if entry is not None else None,
            depth=kin.depths[place],
            children=kin.children[place],
            below=kin.below[place],
            own_error=entry is not None and entry.status == "error",
            inherited_error=place in kin.failed,
            x=x,
            width=width,
            label="" if start is None or end is None else format_span(end - start),
            side="right" if WIDTH - (x or 0.0) - width >= (x or 0.0) else "left",
            waits=tuple(drawn_wait(wait, self.scale) for wait in self.waits.get(node.fact, ()))
            if entry is not None
            else (),
            early=None if early is None else self.scale.x(early),
            late=None if late is None else self.scale.x(late),
            critical=self._path(place, place + 1),
            critical_below=self._path(place, kin.ends[place]) if kin.children[place] else (),
        )

    def _path(self, first: int, end: int) -> tuple[tuple[float, float], ...]:
        """The critical path on the rows from ``first`` to before ``end``, as parts of the axis."""
        low, high = bisect_left(self.on_path, first), bisect_left(self.on_path, end)
        parts = [part for place in self.on_path[low:high] for part in self.critical[place]]
        drawn: list[tuple[float, float]] = []
        for start, stop in _joined(parts):
            left, right = self.scale.x(start), self.scale.x(stop)
            if drawn and left - drawn[-1][1] < FINE:  # nobody could see the gap
                drawn[-1] = (drawn[-1][0], max(right, drawn[-1][1]))
            else:
                drawn.append((left, right))
        return tuple((left, round(right - left, 2)) for left, right in drawn)

    def _times(self, node: Node) -> tuple[int | None, int | None]:
        """Where a row's bar begins and ends; a message's is the time it waited."""
        if isinstance(node, Entry):
            return node.at, node.until
        if isinstance(node, BatchMessage):
            hop = self.timeline.hops[node.hop]
            return hop.sent, hop.started if hop.started is not None else hop.received
        return None, None

    def rows(self) -> Iterator[WaterfallRow]:
        """Every row, from the top."""
        return (self.row(place) for place in range(len(self.tree.nodes)))


def _joined(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for low, high in sorted(parts):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def waterfall(
    timeline: Timeline,
    facts: Iterable[Stored],
    *,
    fold: bool = True,
    fold_waits: bool = True,
    keep: frozenset[int] = frozenset(),
) -> Waterfall:
    """The tree on its axis. ``fold`` folds idle time, ``fold_waits`` also where a message waited.

    ``keep`` names breaks, by the ns at which they begin, that the reader opened.
    """
    kin, waiting = tree(timeline), waits(timeline)
    path = critical_path(kin)
    axis = axis_of(timeline, waiting, fold=fold, fold_waits=fold_waits, keep=keep)
    return Waterfall(
        tree=kin,
        scale=axis,
        facts=leaders(facts),
        waits=waiting,
        critical=path,
        on_path=sorted(path),
        breaks=_crossed(kin, axis),
        timeline=timeline,
        waiting=sum(max(0, hop.wait or 0) for hop in timeline.hops if hop.attempt == 1),
        work=sum(max(0, hop.work or 0) for hop in timeline.hops),
    )


def _crossed(kin: Tree, axis: Scale) -> dict[int, int]:
    """Before which rows the axis breaks: the first that comes after each."""
    found: dict[int, int] = {}
    passed = 0
    for place, node in enumerate(kin.nodes):
        if passed == len(axis.breaks):
            break
        if isinstance(node, Batch | BatchMessage) or node.at is None:
            continue
        while passed < len(axis.breaks) and node.at >= axis.breaks[passed].end:
            found[place] = passed
            passed += 1
    return found


def axis_of(
    timeline: Timeline,
    waiting: dict[str, tuple[Wait, ...]],
    *,
    fold: bool,
    fold_waits: bool,
    keep: frozenset[int],
) -> Scale:
    """The axis of a timeline's entries; with ``fold_waits`` off, waiting is not idle."""
    spans = [
        (entry.at, entry.at if entry.until is None else entry.until)
        for entry in timeline.entries
        if entry.at is not None
    ]
    if not fold_waits:
        spans += [
            (wait.start, wait.end) for rows in waiting.values() for wait in rows if wait.end is not None
        ]
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
