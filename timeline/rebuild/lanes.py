"""An entity's story as service lanes: bars, marks, waits and arcs on one folded axis.

A lane shows the spans in which a service was entered and every handling of a message; spans inside those are
counted, not drawn. Everything is a plain number, so that page and file draw the same picture.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

import msgspec

from timeline.domain import Entry, Event, Hop, Span, Stored, Timeline
from timeline.rebuild.facts import leaders
from timeline.rebuild.scale import Scale
from timeline.rebuild.waits import waits
from timeline.rebuild.waterfall import OPEN, DrawnWait, axis_of, drawn_wait
from timeline.search.times import format_span

MOST_ROWS = 24  # rows of one lane; what finds no room shares the last one
_AIR = 10.0  # between two things on one row
_MARK = 6.0  # half the width of a mark


class Bar(msgspec.Struct, kw_only=True):
    """A span on its lane; ``inner`` counts the spans of the same lane inside it."""

    fact: str
    x: float
    width: float
    row: int = 0
    what: str
    length: str
    status: str
    badges: tuple[str, ...] = ()
    waits: tuple[DrawnWait, ...] = ()
    inner: int = 0
    inner_error: bool = False
    context: bool = False
    duplicate: bool = False


class Mark(msgspec.Struct, kw_only=True):
    """An event on its lane; ``on`` names the bar it happened in."""

    fact: str
    x: float
    row: int = 0
    what: str
    status: str
    badges: tuple[str, ...] = ()
    on: str | None = None
    context: bool = False
    duplicate: bool = False


class Lane(msgspec.Struct, kw_only=True):
    """One service. ``rows`` is how many rows its bars need, ``crowded`` how many things share the last."""

    service: str
    rows: int = 1
    crowded: int = 0
    events: int = 0
    spans: int = 0
    handlings: int = 0
    untimed: int = 0
    context_only: bool = False
    bars: list[Bar] = []
    marks: list[Mark] = []


class Arc(msgspec.Struct, frozen=True, kw_only=True):
    """From one fact to another: a hop, another attempt (``again``) or a direct cause (``cause``)."""

    kind: str
    source: str
    target: str
    from_lane: int
    from_row: int
    from_x: float
    to_lane: int
    to_row: int
    to_x: float
    hop: int | None = None


class Lanes(msgspec.Struct, frozen=True, kw_only=True):
    """The drawing; positions along the axis run from 0 to 1000."""

    lanes: tuple[Lane, ...]
    arcs: tuple[Arc, ...]
    scale: Scale
    marks: int  # how many things are drawn


class _Place(msgspec.Struct):
    lane: int
    drawn: Bar | Mark
    x: float


class _Board:
    """Lanes under construction."""

    def __init__(
        self, timeline: Timeline, facts: dict[str, Stored], hops: tuple[Hop, ...], axis: Scale
    ) -> None:
        self.axis, self.hops, self.facts = axis, hops, facts
        self.entries = {entry.fact: entry for entry in timeline.entries}
        names = [*timeline.services, *({entry.lane for entry in timeline.entries} - set(timeline.services))]
        self.number = {name: place for place, name in enumerate(names)}
        self.lanes = [Lane(service=name, bars=[], marks=[]) for name in names]
        self.places: dict[str, _Place] = {}
        self.hosts: dict[str, tuple[Bar, int]] = {}  # the bar that stands for a fact, and its end in ns
        self.handling = {hop.consumer or hop.receiver for hop in hops}
        self.folded = {hop.receiver for hop in hops if hop.consumer is not None}
        self.waits = waits(timeline)
        self.again = _repeated(timeline)

    def host_of(self, entry: Entry) -> Bar | None:
        """The bar of the same lane in whose time this fact began."""
        above = self.entries.get(entry.parent) if entry.parent is not None else None
        if above is None or above.lane != entry.lane or above.fact not in self.hosts:
            return None
        bar, end = self.hosts[above.fact]
        return bar if entry.at is None or entry.at <= end else None

    def put(self, entry: Entry) -> None:
        """Draw one entry, or fold it into the bar around it."""
        number = self.number[entry.lane]
        lane = self.lanes[number]
        host = self.host_of(entry)
        if entry.kind == "event":
            lane.events += 1
        else:
            lane.spans += 1
            lane.handlings += entry.fact in self.handling
        if entry.at is None:
            lane.untimed += 1
            if host is not None and entry.parent is not None:
                self.hosts[entry.fact] = self.hosts[entry.parent]
            return
        if entry.kind == "event":
            self._mark(entry, lane, number, host)
            return
        inside = host is not None and entry.fact not in self.handling
        if inside or entry.fact in self.folded:
            if host is not None and entry.parent is not None:
                host.inner += 1
                host.inner_error = host.inner_error or entry.status == "error"
                self.hosts[entry.fact] = self.hosts[entry.parent]
                self.places[entry.fact] = _Place(lane=number, drawn=host, x=self.axis.x(entry.at))
            return
        self._bar(entry, lane, number)

    def _mark(self, entry: Entry, lane: Lane, number: int, host: Bar | None) -> None:
        assert entry.at is not None  # noqa: S101 - put() keeps the rest out
        mark = Mark(
            fact=entry.fact,
            x=self.axis.x(entry.at),
            what=entry.what,
            status=entry.status,
            badges=entry.badges,
            on=host.fact if host is not None else None,
            context="context" in entry.badges,
            duplicate=entry.fact in self.again,
        )
        lane.marks.append(mark)
        self.places[entry.fact] = _Place(lane=number, drawn=mark, x=mark.x)

    def _bar(self, entry: Entry, lane: Lane, number: int) -> None:
        assert entry.at is not None  # noqa: S101 - put() keeps the rest out
        until = entry.at if entry.until is None else entry.until
        bar = Bar(
            fact=entry.fact,
            x=self.axis.x(entry.at),
            width=self.axis.width(entry.at, until),
            what=entry.what,
            length="" if entry.until is None else format_span(entry.until - entry.at),
            status=entry.status,
            badges=entry.badges,
            waits=tuple(drawn_wait(wait, self.axis) for wait in self.waits.get(entry.fact, ())),
            context="context" in entry.badges,
            duplicate=entry.fact in self.again,
        )
        lane.bars.append(bar)
        self.hosts[entry.fact] = (bar, until)
        self.places[entry.fact] = _Place(lane=number, drawn=bar, x=bar.x)

    def stack(self) -> None:
        """Give every bar and mark the first free row of its lane."""
        for lane in self.lanes:
            rows = {bar.fact: bar for bar in lane.bars}
            things: list[tuple[float, float, str, Bar | Mark]] = [_extent(bar) for bar in lane.bars]
            things += [
                (mark.x - _MARK, mark.x + _MARK, mark.fact, mark) for mark in lane.marks if mark.on is None
            ]
            lane.rows, lane.crowded = _stacked(things)
            for mark in lane.marks:
                if mark.on is not None:
                    mark.row = rows[mark.on].row
            drawn: list[Bar | Mark] = [*lane.bars, *lane.marks]
            lane.context_only = bool(drawn) and all(thing.context for thing in drawn)

    def arcs(self) -> list[Arc]:
        """Hops from sending to handling, further attempts, and direct causes that are no hops."""
        found: list[Arc] = []
        joined: set[tuple[str, str]] = set()
        before: dict[tuple[object, ...], str] = {}
        for place, hop in enumerate(self.hops):
            side = hop.consumer or hop.receiver
            if side is None:
                continue
            delivery = (
                hop.event,
                hop.destination,
                hop.partition,
                hop.offset,
                hop.producer,
                hop.group,
                hop.consumer_service,
            )
            earlier = before.get(delivery) if hop.attempt > 1 else None
            before[delivery] = side
            source = earlier or hop.producer
            if source is None:
                continue
            joined.add((source, side))
            moment = self.axis.x(hop.sent) if hop.sent is not None and earlier is None else None
            arc = self._arc("hop" if earlier is None else "again", source, side, place, moment)
            if arc is not None:
                found.append(arc)
        found += [
            arc for pair in _causes(self.facts) if pair not in joined and (arc := self._arc("cause", *pair))
        ]
        return found

    def _arc(
        self, kind: str, source: str, target: str, hop: int | None = None, at: float | None = None
    ) -> Arc | None:
        one, other = self.places.get(source), self.places.get(target)
        if one is None or other is None or one.drawn is other.drawn:
            return None
        if kind == "cause" and one.lane == other.lane:
            return None
        start = one.x if at is None else at
        if kind == "again" and isinstance(one.drawn, Bar):
            start = one.drawn.x + one.drawn.width
        return Arc(
            kind=kind,
            source=source,
            target=target,
            from_lane=one.lane,
            from_row=one.drawn.row,
            from_x=round(start, 2),
            to_lane=other.lane,
            to_row=other.drawn.row,
            to_x=other.x,
            hop=hop,
        )


def _extent(bar: Bar) -> tuple[float, float, str, Bar | Mark]:
    """A bar with the waits around it."""
    left = min([bar.x, *(wait.x for wait in bar.waits)])
    right = max([bar.x + bar.width, *(wait.x + wait.width for wait in bar.waits)])
    return (left, right, bar.fact, bar)


def _stacked(things: list[tuple[float, float, str, Bar | Mark]]) -> tuple[int, int]:
    """Rows used, and how many things found no free row."""
    free: list[int] = []  # numbers of rows that are free again, lowest first
    busy: list[tuple[float, int]] = []
    used = crowded = 0
    for left, right, _, thing in sorted(things, key=lambda one: one[:3]):
        while busy and busy[0][0] <= left:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            thing.row = heapq.heappop(free)
        elif used < MOST_ROWS:
            thing.row, used = used, used + 1
        else:
            thing.row, crowded = MOST_ROWS - 1, crowded + 1
            continue
        heapq.heappush(busy, (right + _AIR, thing.row))
    return max(1, used), crowded


def _repeated(timeline: Timeline) -> set[str]:
    """Facts of a second handling: what repeats an earlier fact of the same name in a duplicate finding."""
    found: set[str] = set()
    entries = {entry.fact: entry for entry in timeline.entries}
    for finding in timeline.findings:
        if finding.rule == "duplicate":
            seen: set[tuple[str, str, str]] = set()
            for ref in finding.evidence:
                entry = entries.get(ref)
                if entry is not None:
                    name = (entry.lane, entry.what, entry.kind)
                    if name in seen:
                        found.add(ref)
                    seen.add(name)
    return found


def _causes(facts: dict[str, Stored]) -> list[tuple[str, str]]:
    """Shown facts that name another as their cause: by causation id, or by a link."""
    events = {
        stored.fact.event.id: ref
        for ref, stored in sorted(facts.items(), reverse=True)
        if isinstance(stored.fact, Event) and stored.fact.event is not None and stored.fact.event.id
    }
    spans = {
        (stored.fact.ref.trace_id, stored.fact.ref.span_id): ref
        for ref, stored in sorted(facts.items(), reverse=True)
        if isinstance(stored.fact, Span)
    }
    found: set[tuple[str, str]] = set()
    for ref, stored in facts.items():
        fact = stored.fact
        if isinstance(fact, Event) and fact.event is not None and fact.event.causation_id in events:
            found.add((events[fact.event.causation_id], ref))
        for link in fact.links if isinstance(fact, Span) else ():
            target = spans.get((link.ref.trace_id, link.ref.span_id))
            if target is not None:
                found.add((target, ref))
    return sorted(pair for pair in found if pair[0] != pair[1])


def lanes(
    timeline: Timeline,
    facts: Iterable[Stored],
    hops: Iterable[Hop] | None = None,
    *,
    fold: bool = True,
    fold_waits: bool = True,
    keep: frozenset[int] = frozenset(),
) -> Lanes:
    """Lanes in first-seen order. ``hops`` are the timeline's own unless a page shows fewer.

    ``fold`` folds idle time, ``fold_waits`` also where a message waited; ``keep`` names breaks, by the
    ns at which they begin, that the reader opened.
    """
    axis = axis_of(timeline, waits(timeline), fold=fold, fold_waits=fold_waits, keep=keep)
    board = _Board(timeline, leaders(facts), timeline.hops if hops is None else tuple(hops), axis)
    for entry in timeline.entries:
        board.put(entry)
    board.stack()
    drawn = sum(len(lane.bars) + len(lane.marks) for lane in board.lanes)
    return Lanes(lanes=tuple(board.lanes), arcs=tuple(board.arcs()), scale=axis, marks=drawn)


__all__ = ["MOST_ROWS", "OPEN", "Arc", "Bar", "Lane", "Lanes", "Mark", "lanes"]
