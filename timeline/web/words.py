"""How times, lengths, sizes and foreign text are written for people.

Pure functions from numbers to short strings. Times are ns UTC, lengths are ns. Foreign
text keeps its meaning but loses its power: control, bidirectional and invisible
characters become visible marks (security.md section 2); escaping for HTML is the
template's part.
"""

from __future__ import annotations

import re

from timeline.search import times
from timeline.search.times import DAY, HOUR, MINUTE, SECOND, same_day

__all__ = [
    "DAY", "HOUR", "MINUTE", "SECOND", "about", "clock", "count", "day", "iso", "length", "middle", "plural", "same_day", "size",
    "stamp", "visible", "visible_lines",
]  # fmt: skip

# C0 and C1 controls, bidirectional marks and isolates, zero-width and other invisible
# characters, lone surrogates and non-characters: whatever could hide or reorder text
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)


def _mark(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return f"\u27e8U+{code:04X}\u27e9"


def visible(text: str) -> str:
    """The text with every character that cannot be seen, or that reorders, made visible."""
    return _UNSEEN.sub(_mark, text)


def visible_lines(text: str) -> str:
    """As ``visible``, for a block of text: line ends and tabs keep their effect."""
    parts = re.split(r"(\r?\n|\t)", text)
    return "".join(part if part in ("\n", "\r\n", "\t") else visible(part) for part in parts)


def middle(text: str, keep: int = 20) -> str:
    """The text cut in its middle to about ``keep`` characters; ids differ at both ends."""
    if len(text) <= keep:
        return text
    head = (keep - 1) // 2
    return f"{text[:head]}\u2026{text[len(text) - (keep - 1 - head) :]}"


def clock(ns: int | None, digits: int = 3) -> str:
    """``18:16:57.498``; with 9 digits to the nanosecond; empty where there is no time."""
    if ns is None:
        return ""
    text = times.format_ns(ns)
    if "T" not in text:
        return text
    whole, _, fraction = text[text.index("T") + 1 : -1].partition(".")
    return f"{whole}.{fraction[:digits]}" if digits else whole


def day(ns: int | None) -> str:
    """``21 Nov 2026``."""
    return "" if ns is None else times.format_day(ns)


def stamp(ns: int | None) -> str:
    """``21 Nov 2026, 18:16:57.498``."""
    return "" if ns is None else f"{day(ns)}, {clock(ns)}"


def iso(ns: int | None) -> str:
    """RFC 3339 with nanoseconds: what machines, links and titles get."""
    return "" if ns is None else times.format_ns(ns)


def length(ns: int | None) -> str:
    """A duration as people say it: ``5.6 ms``, ``90.012 s``, ``1 h 22 min 51.289 s``."""
    return "" if ns is None else times.format_span(ns)


def about(ns: int | None) -> str:
    """A duration to its largest unit or two, for labels: ``26 min``, ``1 h 22 min``."""
    if ns is None:
        return ""
    if ns < SECOND:
        return length(ns)
    if ns < 2 * MINUTE and ns != MINUTE:
        return f"{ns // SECOND} s"
    days, rest = divmod(ns, DAY)
    hours, rest = divmod(rest, HOUR)
    parts = ((days, "d"), (hours, "h"), (rest // MINUTE, "min"))
    return " ".join([f"{number} {unit}" for number, unit in parts if number][:2])


def count(number: float | None) -> str:
    """``1,204``."""
    if number is None:
        return ""
    return f"{number:,}" if isinstance(number, int) else f"{number:,.1f}"


def size(octets: int | None) -> str:
    """``612 B``, ``3.4 KiB``."""
    if octets is None:
        return ""
    value, units = float(octets), ["B", "KiB", "MiB", "GiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{octets:,} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def plural(number: int, one: str, many: str = "") -> str:
    """``1 fact``, ``26 facts``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
