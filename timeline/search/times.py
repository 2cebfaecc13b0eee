"""Moments and lengths of time: read as people write them, written one way everywhere.

In comes text ("24h", "now-2h", ISO 8601, an epoch number, an ISO interval) and the
present moment; out come integer nanoseconds UTC. The formatters are the only vocabulary
that pages, API and files use for moments and lengths. No clock is read here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

from timeline.errors import BadQuery
from timeline.search.query import Window

US = 1_000
MS = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

_UNITS = {
    "ns": 1,
    "us": US,
    "µs": US,  # micro sign
    "μs": US,  # greek mu
    "ms": MS,
    "s": SECOND,
    "m": MINUTE,
    "min": MINUTE,
    "h": HOUR,
    "d": DAY,
    "w": WEEK,
}
_PART = r"([0-9]{1,20}(?:\.[0-9]{1,20})?)(ns|us|µs|μs|ms|min|s|m|h|d|w)"
_DURATION = re.compile(rf"(?:{_PART})+")
_DURATION_PART = re.compile(_PART)
_ISO_DURATION = re.compile(
    r"P(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?"
    r"(?:T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)S)?)?"
)
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,30}))?)?"
    r"\s?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?",
    re.IGNORECASE | re.ASCII,
)
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,30}))?)?\s?(?:Z|UTC)?", re.ASCII)
_EPOCH = re.compile(r"([0-9]{9,20})(?:\.([0-9]{1,9}))?", re.ASCII)
_RELATIVE = re.compile(r"(now|today|yesterday)\s?(?:([+-])\s?(.+))?", re.IGNORECASE)
_LONGEST = 128  # characters of a moment; an interval holds two
_LATEST = 2**63 - 1  # ns: the year 2262
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)

TIME_REMEDY = (
    "Write 24h, now-2h, today, 18:04, 2026-11-21T18:04:11.204Z or an epoch number in s, ms, us or ns."
)
DURATION_REMEDY = "Write a number and a unit out of ns, us, ms, s, m, h and d: 500ms, 1.5s, 2h30m."


def parse_duration(text: str) -> int:
    """Nanoseconds of ``500ms``, ``1.5s`` or ``1h30m``; fractions of a ns are cut.

    Raises ``BadQuery`` where a unit is missing or unknown, or the length exceeds 292 years.
    """
    text = text.strip()
    if len(text) > _LONGEST or not _DURATION.fullmatch(text):
        raise BadQuery(f"{_short(text)} is not a length of time", remedy=DURATION_REMEDY)
    total = sum(_scaled(number, _UNITS[unit]) for number, unit in _DURATION_PART.findall(text))
    if total > _LATEST:
        raise BadQuery(f"{_short(text)} is longer than 292 years", remedy=DURATION_REMEDY)
    return total


def parse_time(text: str, now_ns: int) -> int:
    """The moment that ``text`` names, in ns UTC.

    Reads ``now``, ``now-2h``, ``today+9h``, ``24h`` (that long ago), a clock time of today,
    ISO 8601 with up to nanoseconds (no zone means UTC), and epoch numbers whose unit follows
    from their size: below 1e11 s, below 1e14 ms, below 1e17 us, else ns. Raises ``BadQuery``.
    """
    text = text.strip()
    found = None if len(text) > _LONGEST else _moment(text, now_ns)
    if found is None:
        raise BadQuery(f"{_short(text)} is not a moment", remedy=TIME_REMEDY)
    if not 0 <= found <= _LATEST:
        raise BadQuery(f"{_short(text)} lies outside the years 1970 to 2262", remedy=TIME_REMEDY)
    return found


def parse_window(text: str, now_ns: int, *, on: Literal["event", "received", "either"] = "event") -> Window:
    """The half-open range that ``text`` names.

    ``7d`` or any single moment runs to now; ``a/b`` is an ISO interval, in which one side may
    be an ISO length (``2026-11-21T17:00Z/PT2H``) and ``..`` leaves a side open. Raises
    ``BadQuery`` for an interval that does not run forward.
    """
    first, slash, second = text.strip().partition("/")
    if not slash:
        start, end = parse_time(first, now_ns), now_ns
        if start >= end:
            raise BadQuery(
                f"{_short(text)} does not lie before now", remedy="Name both ends of a range: start/end."
            )
        return Window(start=start, end=end, on=on)
    left, right = _iso_length(first), _iso_length(second)
    if left is not None and right is not None:
        raise BadQuery(f"{_short(text)} names no moment", remedy="Give a start or an end: start/PT2H.")
    low = None if first in ("", "..") or left is not None else parse_time(first, now_ns)
    high = None if second in ("", "..") or right is not None else parse_time(second, now_ns)
    if right is not None and low is not None:
        high = min(low + right, _LATEST)
    if left is not None and high is not None:
        low = max(high - left, 0)
    if low is not None and high is not None and low >= high:
        raise BadQuery(f"{_short(text)} ends before it starts", remedy="Write the earlier moment first.")
    return Window(start=low, end=high, on=on)


def format_ns(ns: int) -> str:
    """RFC 3339 with nanoseconds: ``2026-11-21T18:15:09.758123400Z``; total over every int."""
    seconds, rest = divmod(ns, SECOND)
    day = _day_of(seconds)
    return f"{ns} ns" if day is None else f"{day.isoformat()[:19]}.{rest:09d}Z"


def format_clock(ns: int) -> str:
    """The time of day in ms, cut, never rounded: ``18:04:11.204``."""
    seconds, rest = divmod(ns, SECOND)
    day = _day_of(seconds)
    return f"{ns} ns" if day is None else f"{day:%H:%M:%S}.{rest // MS:03d}"


def format_day(ns: int) -> str:
    """The day in UTC: ``21 Nov 2026``."""
    day = _day_of(ns // SECOND)
    return f"{ns} ns" if day is None else f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def format_moment(ns: int, now_ns: int) -> str:
    """``18:04:11.204`` for a moment of today, ``20 Nov 2026, 18:04:11.204`` for another."""
    return format_clock(ns) if same_day(ns, now_ns) else f"{format_day(ns)}, {format_clock(ns)}"


def format_bound(ns: int, now_ns: int) -> str:
    """An end of a range as ``format_moment``, but ``17:00`` where it is a whole minute."""
    moment = format_moment(ns, now_ns)
    return moment[: -len(":00.000")] if ns % MINUTE == 0 else moment


def same_day(one: int, other: int) -> bool:
    """Whether two moments fall on one UTC day."""
    return one // DAY == other // DAY


def format_span(ns: int) -> str:
    """A length of time: ``812 ns``, ``412 µs``, ``5.6 ms``, ``90.012 s``, ``1 h 22 min 51.250 s``.

    Cut, never rounded up. Seconds carry ms below two minutes and beyond; from a day on, the
    smallest unit named is the minute. Trailing zero units are left out.
    """
    if ns < 0:
        return f"-{format_span(-ns)}"
    if ns < US:
        return f"{ns} ns"
    if ns < MS:
        return f"{_tenths(ns, US)} µs"
    if ns < SECOND:
        return f"{_tenths(ns, MS)} ms"
    if ns < 2 * MINUTE:
        return f"{ns // SECOND}.{ns % SECOND // MS:03d} s"
    days, rest = divmod(ns, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    parts = [f"{days:,} d"] if days else []
    parts += [f"{hours} h"] if hours else []
    parts += [f"{minutes} min"] if minutes else []
    if rest >= MS and not days:
        parts.append(f"{rest // SECOND}.{rest % SECOND // MS:03d} s")
    return " ".join(parts)


def _moment(text: str, now_ns: int) -> int | None:
    if relative := _RELATIVE.fullmatch(text):
        anchor, sign, length = relative.groups()
        base = {"now": now_ns, "today": now_ns - now_ns % DAY}.get(
            anchor.lower(), now_ns - now_ns % DAY - DAY
        )
        if not sign:
            return base
        return base - parse_duration(length) if sign == "-" else base + parse_duration(length)
    if _DURATION.fullmatch(text.removeprefix("-")):
        return now_ns - parse_duration(text.removeprefix("-"))
    if epoch := _EPOCH.fullmatch(text):
        whole = int(epoch[1])
        unit = SECOND if whole < 10**11 else MS if whole < 10**14 else US if whole < 10**17 else 1
        return whole * unit + (_scaled("0." + epoch[2], unit) if epoch[2] else 0)
    if clock := _CLOCK.fullmatch(text):
        hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
        if hour > 23 or minute > 59 or second > 59:
            return None
        seconds = (hour * 60 + minute) * 60 + second
        return now_ns - now_ns % DAY + seconds * SECOND + _fraction(clock[4])
    iso = _ISO.fullmatch(text)
    return _iso_moment(iso) if iso else None


def _iso_moment(iso: re.Match[str]) -> int | None:
    year, month, day = (int(iso[i]) for i in (1, 2, 3))
    hour, minute, second = (int(iso[i] or 0) for i in (4, 5, 6))
    leap = second == 60  # a leap second is read as the second that follows
    try:
        at = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC)
    except ValueError:
        return None
    seconds = (at - _EPOCH_START) // timedelta(seconds=1) + leap
    zone = (iso[8] or "Z").upper()
    if zone != "Z":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        hours, minutes = int(digits[:2]), int(digits[2:])
        if hours > 23 or minutes > 59:
            return None
        offset = (hours * 60 + minutes) * 60
        seconds += offset if zone[0] == "-" else -offset
    return seconds * SECOND + _fraction(iso[7])


def _iso_length(text: str) -> int | None:
    """Nanoseconds of ``PT2H30M``; ``None`` where the text is something else."""
    match = _ISO_DURATION.fullmatch(text.strip().upper()) if len(text) <= _LONGEST else None
    if match is None or not any(match.groups()):
        return None
    units = (WEEK, DAY, HOUR, MINUTE, SECOND)
    return sum(
        _scaled(number, unit)
        for number, unit in zip(match.groups(), units, strict=True)
        if number is not None
    )


def _scaled(number: str, unit: int) -> int:
    """``number`` (plain decimal digits) times ``unit``, exactly, fractions of a ns cut."""
    whole, _, fraction = number.partition(".")
    return int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)


def _fraction(digits: str | None) -> int:
    return int((digits or "0")[:9].ljust(9, "0"))


def _day_of(seconds: int) -> datetime | None:
    try:
        return _EPOCH_START + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _tenths(ns: int, unit: int) -> str:
    whole, tenth = divmod(ns * 10 // unit, 10)
    return f"{whole}.{tenth}" if tenth else f"{whole}"


def _short(text: str) -> str:
    return f'"{text if len(text) <= 40 else text[:37] + "..."}"'


def retention_edge(now: int, days: int) -> int:
    """The midnight (ns) before which facts may be gone, with so many whole days behind it.

    Whole days, since a store that keeps a day apart drops it as a whole.
    """
    return (now - days * DAY) // DAY * DAY
