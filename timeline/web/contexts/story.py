"""What the pages of a trace and of an entity share: axis, waits, log lines, findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from timeline.domain import Entry, Finding, Hop, Span, Stored, Timeline
from timeline.rebuild.scale import WIDTH, Scale, Tick, zoomed_ticks
from timeline.rebuild.waterfall import DrawnWait
from timeline.web import words
from timeline.web.contexts.frame import link

FINDING_ICONS = {
    "duplicate": "copy",
    "slow hop": "hourglass",
    "unconsumed": "hourglass",
    "cycle": "refresh-cw",
}
TONES = {"error": "red", "warning": "amber", "info": ""}
HIDDEN_BADGES = ("error",)  # said by the failed mark already
_STYLES = {5: "minutes", 8: "seconds", 12: "clock"}


def x(place: float) -> str:
    """A position of the rebuilt axis (0 to 1000) as SVG reads it."""
    return f"{place * 100 / WIDTH:.3f}%"


def axis(
    scale: Scale,
    params: Mapping[str, str],
    path: str,
    *,
    apart: float,
    zoom: tuple[float, float] = (0.0, WIDTH),
) -> dict[str, Any]:
    """Ticks, and the breaks with links that open them; labels are ``apart`` of 1000 or more.

    ``zoom`` is the part of the axis that is looked at: ticks stand at their places in it, breaks at
    theirs on the whole.
    """
    opened = [text for text in params.get("open", "").split(",") if text]
    shown = scale.ticks if zoom == (0.0, WIDTH) else zoomed_ticks(scale, *zoom)
    ticks = [
        {
            "x": x(tick.x),
            "label": tick.label,
            "at": tick.at,
            "day": tick.day,
            "style": _style(tick.label),
            "anchor": "end" if tick.x > 940 else "start",
        }
        for tick in shown
    ]
    return {
        "ticks": ticks,
        "labels": [ticks[place] for place in _labelled(shown, scale, apart)],
        "breaks": [
            {
                "x": x(gap.x),
                "end": x(gap.x + gap.width),
                "middle": x(gap.x + gap.width / 2),
                "width": x(gap.width),
                "label": gap.label,
                "short": words.about(gap.end - gap.start),
                "length": gap.end - gap.start,
                "href": link(path, params, open=",".join([*opened, str(gap.start)])),
            }
            for gap in scale.breaks
        ],
        "start": scale.start,
        "end": scale.end,
    }  # fmt: skip


def _labelled(ticks: Sequence[Tick], scale: Scale, apart: float) -> list[int]:
    """Which ticks have room for their label: the start of each stretch before the rest."""
    starts = {stretch.start for stretch in scale.stretches}
    kept: list[int] = []
    for place in sorted(range(len(ticks)), key=lambda place: (ticks[place].at not in starts, place)):
        if all(abs(ticks[place].x - ticks[other].x) >= apart for other in kept):
            kept.append(place)
    return sorted(kept)


def _style(label: str) -> str:
    return (
        "offset"
        if label.startswith("+")
        else "fraction"
        if label.startswith(".")
        else _STYLES.get(len(label), "clock")
    )


def opened(params: Mapping[str, str]) -> frozenset[int]:
    """The breaks that the reader opened, from the URL."""
    return frozenset(
        int(text) for text in params.get("open", "").split(",") if text.isdecimal() and len(text) < 20
    )


def wait_mark(drawn: DrawnWait, *, slow: bool = False, usual: str = "") -> dict[str, Any]:
    """A wait as it is drawn; its label is beside it, or on it where it is long.

    ``slow`` says that it is far beyond ``usual``, which is what the label ends with.
    """
    wait = drawn.wait
    slow = slow or wait.slow
    label = f"waiting {drawn.label}{usual}" if slow else drawn.label
    return {
        "x": x(drawn.x),
        "width": x(drawn.width),
        "middle": x(drawn.x + drawn.width / 2),
        "split": x(drawn.split) if drawn.split is not None else "",
        "label": label,
        "length": drawn.label,
        "usual": usual,
        "pill": -(-(len(label) * 63) // 10) + 14 if drawn.width > 110 + 6 * len(usual) and slow else 0,
        "slow": slow,
        "open": wait.open,
        "again": wait.again,
        "messages": wait.messages if wait.messages > 1 else 0,
    }


def badges(found: Sequence[str]) -> list[dict[str, str]]:
    """Badges of an entry with their tone."""
    shown = []
    for badge in found:
        if badge in HIDDEN_BADGES:
            continue
        tone = (
            "amber"
            if badge.startswith(("attempt 2", "late", "duplicate"))
            else "line"
            if badge == "variant"
            else ""
        )
        shown.append({"text": badge.capitalize(), "tone": tone})
    return shown


def findings(found: Iterable[Finding], params: Mapping[str, str]) -> list[dict[str, Any]]:
    """Findings as sentences with their evidence."""
    return [
        {
            "rule": finding.rule,
            "tone": TONES[finding.severity],
            "icon": FINDING_ICONS.get(finding.rule, "triangle-alert"),
            "sentence": finding.sentence,
            "confidence": finding.confidence,
            "evidence": [{"id": ref, "href": link(f"/facts/{ref}", params)} for ref in finding.evidence[:6]],
        }
        for finding in found
    ]


def hops_by_fact(timeline: Timeline) -> dict[str, Hop]:
    """For each handling, its hop; for a send, the first hop that it started."""
    by_fact: dict[str, Hop] = {}
    for hop in timeline.hops:
        for side in (hop.consumer, hop.receiver):
            if side is not None:
                by_fact.setdefault(side, hop)
    return by_fact


def place_of(stored: Stored | None) -> str:
    """topic/partition/offset of a fact's message."""
    if stored is None or stored.fact.message is None or stored.fact.message.destination is None:
        return ""
    message = stored.fact.message
    return "/".join(
        str(part) for part in (message.destination, message.partition, message.offset) if part is not None
    )


def log_lines(
    timeline: Timeline,
    facts: Iterable[Stored],
    hues: Mapping[str, int],
    params: Mapping[str, str],
    duplicates: frozenset[str] = frozenset(),
) -> list[dict[str, Any]]:
    """The story a line at a time, with lines for days and for what was idle."""
    known = {stored.receipt.id: stored for stored in facts}
    by_fact = hops_by_fact(timeline)
    slow = {ref for finding in timeline.findings if finding.rule == "slow hop" for ref in finding.evidence}
    placed = [entry.at for entry in timeline.entries if entry.at is not None]
    several_days = bool(placed) and not words.same_day(min(placed), max(placed))
    quiet = max(words.SECOND, (max(placed) - min(placed)) // 10) if placed else 0
    shown: list[dict[str, Any]] = []
    before: int | None = None
    for entry in timeline.entries:
        if entry.at is not None:
            if before is not None and entry.at - before > quiet:
                shown.append({"is": "gap", "length": entry.at - before})
            if several_days and (before is None or not words.same_day(before, entry.at)):
                shown.append({"is": "day", "at": entry.at})
            before = max(before or 0, entry.at)
        shown.append(
            _line(
                entry,
                known.get(entry.fact),
                by_fact.get(entry.fact),
                hues,
                params,
                slow=entry.fact in slow,
                duplicate=entry.fact in duplicates,
            )
        )
    return shown


def _line(
    entry: Entry,
    stored: Stored | None,
    hop: Hop | None,
    hues: Mapping[str, int],
    params: Mapping[str, str],
    *,
    slow: bool,
    duplicate: bool,
) -> dict[str, Any]:
    place = place_of(stored)
    return {
        "is": "row",
        "id": entry.fact,
        "href": link(f"/facts/{entry.fact}", params),
        "at": entry.at,
        "event": entry.kind == "event",
        "lane": entry.lane,
        "hue": hues.get(entry.lane, 0),
        "what": entry.what or "unnamed",
        "detail": entry.detail if entry.detail != place else "",
        "place": place,
        "wait": hop.wait if hop is not None and hop.attempt == 1 else None,
        "slow": slow,
        "work": entry.until - entry.at
        if entry.until is not None and entry.at is not None and isinstance(stored and stored.fact, Span)
        else None,
        "failed": entry.status == "error",
        "badges": badges(entry.badges),
        "context": "context" in entry.badges,
        "duplicate": duplicate,
    }
