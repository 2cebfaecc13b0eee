"""One horizontal axis for page and file: time in stretches, idle time folded between them.

Positions are numbers from 0 to ``WIDTH``. A gap in which nothing happened becomes a break of fixed
width where it is at least a tenth as long as all the time still shown. Each stretch between breaks has
its own scale: half the room is shared equally, half by length, so that 100 ms beside 20 s can be read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from timeline.search.times import DAY, HOUR, MINUTE, MS, SECOND, format_clock, format_day, format_span

WIDTH = 1000.0
BREAK = 36.0
MOST_BREAKS = 8
_POINT = 20.0  # room of a stretch that is a single moment
_LABEL = 86.0  # room that the label of a tick needs
_STEPS = tuple(
    factor * unit
    for unit in (1, 10, 100, 1_000, 10_000, 100_000, MS, 10 * MS, 100 * MS)
    for factor in (1, 2, 5)
)
_NICE = (*_STEPS, *(n * SECOND for n in (1, 2, 5, 10, 15, 30)), *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
         *(n * HOUR for n in (1, 2, 3, 6, 12)), *(n * DAY for n in (1, 2, 7, 14, 28)))  # fmt: skip


class Stretch(msgspec.Struct, frozen=True):
    """Time shown on one linear scale, ``start`` to ``end`` ns at ``x`` to ``x + width``."""

    start: int
    end: int
    x: float
    width: float


class Break(msgspec.Struct, frozen=True):
    """Folded idle time; ``start`` (ns) names it in links."""

    start: int
    end: int
    x: float
    width: float
    label: str


class Tick(msgspec.Struct, frozen=True):
    """A labelled moment (UTC); ``day`` is set where the day is new."""

    at: int
    x: float
    label: str
    day: str = ""


class Scale(msgspec.Struct, frozen=True):
    """The axis; ``start`` and ``end`` are the first and last moment on it."""

    start: int = 0
    end: int = 0
    stretches: tuple[Stretch, ...] = ()
    breaks: tuple[Break, ...] = ()
    ticks: tuple[Tick, ...] = ()
    starts: tuple[int, ...] = ()

    def x(self, ns: int) -> float:
        """Where a moment lies; outside the axis it is at the nearer end."""
        if not self.stretches:
            return 0.0
        place = max(0, bisect_right(self.starts, ns) - 1)
        stretch = self.stretches[place]
        if ns > stretch.end and place < len(self.breaks):
            gap = self.breaks[place]
            return round(gap.x + gap.width * (ns - gap.start) / (gap.end - gap.start), 2)
        length = stretch.end - stretch.start
        share = (min(max(ns, stretch.start), stretch.end) - stretch.start) / length if length else 0.5
        return round(stretch.x + stretch.width * share, 2)

    def width(self, start: int, end: int) -> float:
        """How wide a bar is; never negative."""
        return round(max(0.0, self.x(end) - self.x(start)), 2)


def scale(
    intervals: Iterable[tuple[int, int]], *, fold: bool = True, keep: frozenset[int] = frozenset()
) -> Scale:
    """The axis over these (start, end) intervals in ns; an interval that ends early is its start.

    ``fold=False`` keeps one linear stretch; ``keep`` names gaps, by the ns at which they begin, that
    stay open.
    """
    busy = _merged(intervals)
    if not busy:
        return Scale()
    gaps = [(before[1], after[0]) for before, after in pairwise(busy)]
    length = busy[-1][1] - busy[0][0]
    folded = [gap for gap in _idle(gaps, length) if gap[0] not in keep] if fold else []
    stretches, breaks = _laid_out(busy[0][0], busy[-1][1], folded)
    return Scale(
        start=busy[0][0],
        end=busy[-1][1],
        stretches=stretches,
        breaks=breaks,
        ticks=_ticks(stretches),
        starts=tuple(stretch.start for stretch in stretches),
    )


def _merged(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if found and start <= found[-1][1]:
            if end > found[-1][1]:
                found[-1] = (found[-1][0], end)
        else:
            found.append((start, max(start, end)))
    return found


def _idle(gaps: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """The gaps to fold, in time order: as many of the longest as stand out from the rest.

    Steady beats are not idle time: gaps that are all alike, between marks without length, stay.
    """
    ranked = sorted(gaps, key=lambda gap: (gap[0] - gap[1], gap[0]))
    best, shown = 0, length
    for count, (start, end) in enumerate(ranked[:MOST_BREAKS], start=1):
        gap = end - start
        shown -= gap
        if shown <= 0 or gap * 10 < shown:
            break
        following = ranked[count][1] - ranked[count][0] if count < len(ranked) else 0
        if gap >= 2 * following:
            best = count
    return sorted(ranked[:best])


def _laid_out(
    start: int, end: int, folded: Sequence[tuple[int, int]]
) -> tuple[tuple[Stretch, ...], tuple[Break, ...]]:
    edges = [start, *(edge for gap in folded for edge in gap), end]
    parts = list(zip(edges[::2], edges[1::2], strict=True))
    long = [part for part in parts if part[1] > part[0]]
    room = WIDTH - BREAK * len(folded) - _POINT * (len(parts) - len(long) if long else 0)
    total = sum(part[1] - part[0] for part in long)
    stretches: list[Stretch] = []
    breaks: list[Break] = []
    x = 0.0
    for place, (low, high) in enumerate(parts):
        if long:
            width = room * (0.5 / len(long) + 0.5 * (high - low) / total) if high > low else _POINT
        else:
            width = room / len(parts)
        stretches.append(Stretch(start=low, end=high, x=round(x, 2), width=round(width, 2)))
        x += width
        if place < len(folded):
            gap = folded[place]
            label = f"{format_span(gap[1] - gap[0])} idle"
            breaks.append(Break(start=gap[0], end=gap[1], x=round(x, 2), width=BREAK, label=label))
            x += BREAK
    return tuple(stretches), tuple(breaks)


def _ticks(stretches: Sequence[Stretch]) -> tuple[Tick, ...]:
    found: list[Tick] = []
    day, free = "", 0.0
    for stretch in stretches:
        for tick in _ticks_of(stretch):
            if found and tick.x < free:
                continue
            today = format_day(tick.at)
            found.append(msgspec.structs.replace(tick, day="" if today == day else today))
            day, free = today, tick.x + _LABEL
    return tuple(found)


def _ticks_of(stretch: Stretch) -> list[Tick]:
    """The start of the stretch in full, then round moments."""
    length = stretch.end - stretch.start
    first = Tick(at=stretch.start, x=round(stretch.x if length else stretch.x + stretch.width / 2, 2),
                 label=format_clock(stretch.start))  # fmt: skip
    wanted = int(stretch.width / _LABEL)
    if not length or wanted < 2:
        return [first]
    step = next((nice for nice in _NICE if nice * wanted >= length), length)
    found, origin = [first], 0 if step >= MS else stretch.start
    at = origin + ((stretch.start - origin) // step + 1) * step
    while at <= stretch.end and len(found) <= 2 * wanted:
        x = round(stretch.x + stretch.width * (at - stretch.start) / length, 2)
        found.append(Tick(at=at, x=x, label=_label(at, stretch.start, step)))
        at += step
    return found


def _label(at: int, start: int, step: int) -> str:
    if step >= MINUTE:
        return format_clock(at)[:5]
    if step >= SECOND:
        return format_clock(at)[:8]
    if step >= MS:
        clock = format_clock(at)
        return clock[8:] if at // SECOND == start // SECOND else clock
    return f"+{format_span(at - start)}"


def zoomed_ticks(axis: Scale, low: float, high: float) -> tuple[Tick, ...]:
    """Ticks for the part of an axis from ``low`` to ``high``, at their places in the view (0 to ``WIDTH``)."""
    factor = WIDTH / (high - low)
    parts: list[Stretch] = []
    for stretch in axis.stretches:
        left, right = max(stretch.x, low), min(stretch.x + stretch.width, high)
        if left > right or (left == right and stretch.end > stretch.start):
            continue
        start, end = moment(axis, left), moment(axis, right)
        if stretch.end == stretch.start:
            start = end = stretch.start
        parts.append(Stretch(start=start, end=end, x=(left - low) * factor, width=(right - left) * factor))
    return _ticks(parts)


def moment(axis: Scale, x: float) -> int:
    """The time (ns) at a place of the axis; inside a break, in proportion."""
    if not axis.stretches:
        return 0
    for place, stretch in enumerate(axis.stretches):
        if x <= stretch.x + stretch.width or place == len(axis.stretches) - 1:
            share = (x - stretch.x) / stretch.width if stretch.width else 0.0
            return stretch.start + round((stretch.end - stretch.start) * min(max(share, 0.0), 1.0))
        gap = axis.breaks[place]
        if x < gap.x + gap.width:
            return gap.start + round((gap.end - gap.start) * (x - gap.x) / gap.width)
    return axis.end
