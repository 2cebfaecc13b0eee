"""How single values look in JSON and in a CSV cell.

Times are RFC 3339 with nanoseconds. Integers beyond 2**53 are strings, since JSON readers keep doubles. Bytes
are ``{"base64": "..."}``. NaN and the infinities are ``{"double": "NaN"}``, ``"Infinity"``, ``"-Infinity"``.
Half surrogates, which no UTF-8 file can hold, become ``?``.
"""

from __future__ import annotations

import base64
import math
from typing import Any, TypeAlias

from timeline.domain import Attributes, Value
from timeline.search.times import format_ns

Json: TypeAlias = dict[str, Any]

_EXACT = 2**53
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width forms are formulas too


def moment(ns: int | None) -> str | None:
    """RFC 3339 with nanoseconds, or ``None``."""
    return None if ns is None else format_ns(ns)


def text(value: str) -> str:
    """The text as UTF-8 can hold it."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def number(value: int) -> int | str:
    """The integer, as a string beyond 2**53."""
    return value if -_EXACT <= value <= _EXACT else str(value)


def value_json(value: Value) -> Any:
    """Any attribute value or body, in the notation of this module."""
    if isinstance(value, str):  # first: most are
        return text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return number(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else {"double": _odd(value)}
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return attributes_json(value)
    return [value_json(item) for item in value]


def _odd(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def attributes_json(attributes: Attributes) -> Json:
    """Attributes with their keys as sent."""
    return {text(key): value_json(value) for key, value in attributes.items()}


def cell(value: Any) -> str:
    """A CSV cell that no spreadsheet runs: text that starts like a formula gets a leading ``'``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    plain = text(str(value))
    return f"'{plain}" if plain.startswith(_FORMULA) else plain
