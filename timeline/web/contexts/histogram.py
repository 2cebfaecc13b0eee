"""The histogram's geometry: bars, ticks, and the stretches where nothing can be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timeline import markers
from timeline.answers import Coverage, SearchAnswer
from timeline.models import Marker
from timeline.web import words
from timeline.web.asked import DEFAULT_RANGE
from timeline.web.contexts.controls import was_of
from timeline.web.contexts.frame import link

HEIGHT = 96
KNOWN_EMPTY = ("before recording", "retention")  # stretches that never held anything, or no longer do
_STEPS = tuple(
    number * unit
    for unit, numbers in (
        (1_000_000, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        (words.SECOND, (1, 2, 5, 10, 15, 30)),
        (words.MINUTE, (1, 2, 5, 10, 15, 30)),
        (words.HOUR, (1, 2, 3, 6, 12)),
        (words.DAY, (1, 2, 7, 14, 28, 91, 182, 364)),
    )
    for number in numbers
)


def percent(part: float, whole: float) -> str:
    """``part`` of ``whole`` as SVG reads it; three decimals are finer than a pixel."""
    return f"{100 * part / whole:.3f}%" if whole else "0%"


def ticks(start: int, end: int, most: int = 10) -> list[dict[str, Any]]:
    """Round moments between two, at most ``most``, with how to write them."""
    length = end - start
    step = next((step for step in _STEPS if length / step <= most), length)
    style = (
        "day"
        if step >= words.DAY
        else "minutes"
        if step >= words.MINUTE
        else "seconds"
        if step >= words.SECOND
        else "clock"
    )
    first = -(-start // step) * step
    moments = range(first, end + 1, step)
    return [
        {
            "x": percent(moment - start, length),
            "at": moment,
            "style": style,
            "anchor": "start"
            if (moment - start) < length / 40
            else "end"
            if (end - moment) < length / 40
            else "middle",
        }
        for moment in moments
    ]


def histogram(answer: SearchAnswer, params: Mapping[str, str]) -> dict[str, Any] | None:
    """What the drawing needs; ``None`` where the range has an open end."""
    start, end, interval = answer.window.start, answer.window.end, answer.interval
    if start is None or end is None or not interval or end <= start:
        return None
    was = was_of(params, DEFAULT_RANGE)
    bars = _bars(answer, start, end, {**params, "was": was})
    gaps = _gaps(answer.coverage, start, end)
    return {
        "start": start,
        "end": end,
        "interval": interval,
        "bars": bars,
        "gaps": gaps,
        "gap_kinds": [
            {"kind": kind, "quiet": kind in KNOWN_EMPTY}
            for kind in sorted({str(gap["kind"]) for gap in gaps})
        ],
        "ticks": ticks(start, end),
        "peak": max((bucket.count for bucket in answer.histogram), default=0),
        "any_failed": any(bar["errors"] for bar in bars),
        "base": HEIGHT,
        "was": was,
        "markers": marks(start, end, params.get("environment", "")),
    }


def marks(start: int, end: int, environment: str = "", services: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Markers of deploys and changes inside a range, each with its place and what it says."""
    found = markers.drawn(start, end, environment=environment, services=services)
    return _labelled([_mark(one, start, end) for one in found])


def _mark(one: Marker, start: int, end: int) -> dict[str, Any]:
    low = max(one.at, start)
    until = min(one.until, end) if one.until is not None else None
    return {
        "x": percent(low - start, end - start),
        "share": (low - start) / (end - start),
        "width": percent(until - low, end - start) if until is not None and until > low else "",
        "at": one.at,
        "kind": one.kind,
        "title": one.title,
        "url": one.url,
        "service": one.service,
        "anchor": "end" if (low - start) / (end - start) > 0.75 else "start",
    }


def _labelled(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Labels where there is room beside the one before; the others are told by their title."""
    free = -1.0
    for mark in found:
        mark["label"] = ""
        width = 0.0065 * min(len(mark["title"]), 28)
        low = mark["share"] - width if mark["anchor"] == "end" else mark["share"]
        if low >= free:
            mark["label"] = words.middle(mark["title"], 28)
            free = low + width + 0.01
    return found


def _bars(answer: SearchAnswer, start: int, end: int, params: Mapping[str, str]) -> list[dict[str, Any]]:
    """One bar a bucket; a bucket with anything in it is at least 2 pixels high."""
    whole, interval = end - start, answer.interval
    peak = max((bucket.count for bucket in answer.histogram), default=0)
    bars: list[dict[str, Any]] = []
    for bucket in answer.histogram:
        height = max(2.0, HEIGHT * bucket.count / peak) if bucket.count else 0
        failed = max(2.0, height * bucket.errors / bucket.count) if bucket.errors else 0
        low, high = max(bucket.start, start), min(bucket.start + interval, end)
        bars.append(
            {
                "x": percent(low - start, whole),
                "width": percent((high - low) * 0.9, whole),
                "y": f"{HEIGHT - height:.1f}",
                "height": f"{height:.1f}",
                "failed": f"{failed:.1f}" if failed else "",
                "failed_y": f"{HEIGHT - failed:.1f}",
                "count": bucket.count,
                "errors": bucket.errors,
                "start": low,
                "end": high,
                "href": link(
                    "/search",
                    params,
                    **{"from": words.iso(low), "to": words.iso(high), "range": None, "cursor": None},
                ),
            }
        )
    return bars


def _gaps(coverage: Coverage, start: int, end: int) -> list[dict[str, Any]]:
    """Where nothing can be known, the part that is not yet searchable included."""
    whole = end - start
    gaps: list[dict[str, Any]] = []
    for gap in coverage.gaps:
        low, high = max(gap.start, start), min(gap.end, end)
        if low < high:
            gaps.append(
                {
                    "x": percent(low - start, whole),
                    "width": percent(high - low, whole),
                    "kind": gap.kind,
                    "quiet": gap.kind in KNOWN_EMPTY,
                    "start": low,
                    "end": high,
                }
            )
    if coverage.up_to < end and coverage.up_to >= start and not any(gap["end"] >= end for gap in gaps):
        low = coverage.up_to
        gaps.append(
            {
                "x": percent(low - start, whole),
                "width": percent(end - low, whole),
                "kind": "not yet searchable",
                "quiet": False,
                "start": low,
                "end": end,
            }
        )
    return gaps
