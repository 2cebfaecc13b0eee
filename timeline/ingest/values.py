"""JSON text to values that every store can keep: no NaN, no lone surrogate, no lost digit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Final

import msgspec

from timeline.domain import Value
from timeline.errors import MalformedPayload, TooLarge

MAX_DEPTH: Final = 100
MAX_CONTAINERS: Final = 2_000_000  # more objects than any real body of 64 MiB has
_LOW, _HIGH = -(1 << 63), (1 << 63) - 1
_quick = msgspec.json.Decoder().decode


def finite(number: float) -> float | str:
    """The number, or its name where JSON has none: "NaN", "Infinity", "-Infinity"."""
    if math.isfinite(number):
        return number
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"


def whole(number: int) -> int | str:
    """The integer, or its digits where it needs more than 64 bits."""
    return number if _LOW <= number <= _HIGH else str(number)


def loads(
    body: bytes,
    *,
    max_depth: int = MAX_DEPTH,
    cleaned: bool = True,
    check: Callable[[Any], None] | None = None,
) -> Any:
    """JSON as Python values, cleaned of what JSON readers let through.

    Integers beyond 64 bits and numbers beyond a double become their exact text, ``NaN`` and
    ``Infinity`` their names, lone surrogates U+FFFD; of a repeated key the last is kept. Not ``cleaned``, lone
    surrogates stay, for whoever has to refuse them. Raises ``MalformedPayload`` for anything else that is no JSON, ``TooLarge`` for nesting
    deeper than ``max_depth``, and what ``check`` raises, which sees the values before they are cleaned.
    """
    bounded(body)
    try:
        found = _parsed(body)
        if check is not None:
            check(found)
        safe = clean(found, max_depth)
        return safe if cleaned else found
    except RecursionError:
        raise _deep(max_depth) from None


def _parsed(body: bytes) -> Any:
    try:
        return _quick(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # read again, more tolerantly and more slowly
    try:
        text = body.decode("utf-8-sig")
        return json.loads(text, parse_int=_integer, parse_float=_double, parse_constant=str)
    except ValueError as error:
        raise MalformedPayload(f"the body is not JSON: {error}", remedy="send valid JSON in UTF-8") from error


def bounded(body: bytes) -> None:
    """Raise ``TooLarge`` for JSON whose objects would take far more memory than its text."""
    if body.count(b"{") + body.count(b"[") > MAX_CONTAINERS:
        raise TooLarge(f"the JSON holds more than {MAX_CONTAINERS} objects", remedy="send smaller batches")


def clean(found: Any, levels: int = MAX_DEPTH) -> Value:
    """The value with every part of it storable; ``TooLarge`` beyond ``levels`` of nesting."""
    kind = type(found)
    if kind is str:
        return found if found.isascii() else _text(found)
    if kind is int:
        return whole(found)
    if kind is float:
        return finite(found)
    if kind is list or kind is dict:
        if levels <= 0:
            raise _deep(MAX_DEPTH)
        if kind is list:
            return [clean(one, levels - 1) for one in found]
        return {str(clean(key)): clean(one, levels - 1) for key, one in found.items()}
    return found


def _text(found: str) -> str:
    try:
        found.encode()
    except UnicodeEncodeError:
        return found.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return found


def _integer(digits: str) -> int | str:
    # More never fit 64 bits, and very many would not even convert.
    return int(digits) if len(digits) <= 20 else digits


def _double(digits: str) -> float | str:
    found = float(digits)
    return found if math.isfinite(found) else digits


def _deep(levels: int) -> TooLarge:
    return TooLarge(f"the JSON is nested deeper than {levels} levels", remedy="flatten it")


UNITS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def ticks(text: str, unit: str) -> int:
    """Nanoseconds of a decimal number of ``s``, ``ms``, ``us`` or ``ns``, exactly; raises ``ValueError``."""
    size = UNITS[unit]
    head, _, tail = text.partition(".")
    digits = len(str(size)) - 1
    return int(head) * size + (int(tail[:digits].ljust(digits, "0")) if tail and digits else 0)


def pointed(value: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) leads to; ``None`` where it leads nowhere."""
    for part in pointer[1:].split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value
