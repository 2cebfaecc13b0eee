"""Foreign values for the eye: flat attribute lists and coloured, bounded JSON."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from timeline.search.query import FIELDS
from timeline.web import words
from timeline.web.contexts.frame import link
from timeline.web.contexts.rows import narrowed

MOST_LINES = 2_000
MOST_TEXT = 4_000  # characters of one value on a page; the JSON has all of it
_TYPES = {
    bool: "bool",
    int: "int",
    float: "double",
    bytes: "bytes",
    list: "array",
    tuple: "array",
    dict: "map",
}
Token = tuple[str, str]  # CSS class, text


def written(value: Any) -> str:
    """A value as one line of text; bytes as base64."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return json.dumps(plain(value), ensure_ascii=False)


def plain(value: Any) -> Any:
    """The value in JSON's own types: bytes become base64 text."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def attributes(pairs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Attributes by key, each with its type and a search that finds its equals."""
    listed = []
    for key, value in sorted(pairs.items()):
        text = written(value)
        asked = key not in FIELDS and isinstance(value, (str, int, float, bool)) and len(text) <= 1024
        listed.append(
            {
                "key": key,
                "value": text[:MOST_TEXT],
                "cut": max(0, len(text) - MOST_TEXT),
                "type": _TYPES.get(type(value), ""),
                "href": link("/search", {}, q=narrowed("", key, text), range="all") if asked and key else "",
            }
        )
    return listed


def pretty(value: Any) -> dict[str, Any]:
    """A body as coloured lines, as raw text, and what kind of thing it is."""
    parsed, kind = value, "JSON"
    if isinstance(value, str):
        kind = "text"
        if value[:1] in "{[" and len(value) < 1_000_000:
            try:
                parsed, kind = json.loads(value), "JSON"
            except (ValueError, RecursionError):
                parsed = value
    elif isinstance(value, bytes):
        kind = "bytes, shown as base64"
    raw = written(value)
    if kind == "JSON" and isinstance(parsed, (dict, list, tuple)):
        lines = list(itertools.islice(_lines(plain(parsed)), MOST_LINES + 1))
    else:
        lines = [[("", text)] for text in raw[: MOST_LINES * 200].splitlines()[: MOST_LINES + 1]] or [
            [("", "")]
        ]
    return {
        "lines": [(number, line) for number, line in enumerate(lines[:MOST_LINES], 1)],
        "cut": len(lines) > MOST_LINES,
        "raw": raw[: MOST_LINES * 200],
        "kind": kind,
    }


def _scalar(value: Any) -> Token:
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
        return "s", text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}\u2026"
    return "n", json.dumps(value)


def _lines(value: Any, indent: int = 0, key: str | None = None, comma: str = "") -> Iterator[list[Token]]:
    """JSON a line at a time; small maps and arrays of scalars stay on one line."""
    head: list[Token] = [("", "  " * indent)]
    if key is not None:
        head += [("k", json.dumps(key, ensure_ascii=False)), ("", ": ")]
    if not isinstance(value, (dict, list)):
        yield [*head, _scalar(value), ("", comma)]
        return
    opened, closed = ("{", "}") if isinstance(value, dict) else ("[", "]")
    items: list[tuple[str | None, Any]] = (
        list(value.items()) if isinstance(value, dict) else [(None, item) for item in value]
    )
    if indent and _short(items):
        line = [*head, ("", opened + " " if items else opened)]
        for number, (name, item) in enumerate(items):
            line += [("", ", ")] if number else []
            line += [("k", json.dumps(name, ensure_ascii=False)), ("", ": ")] if name is not None else []
            line.append(_scalar(item))
        yield [*line, ("", (" " + closed if items else closed) + comma)]
        return
    yield [*head, ("", opened)]
    for number, (name, item) in enumerate(items, 1):
        yield from _lines(item, indent + 1, name, "," if number < len(items) else "")
    yield [("", "  " * indent + closed + comma)]


def _short(items: list[tuple[str | None, Any]]) -> bool:
    if len(items) > 4 or any(isinstance(item, (dict, list)) for _, item in items):
        return False
    return sum(len(str(name)) + len(str(item)) for name, item in items) < 60


def differences(one: Any, other: Any, path: str = "", most: int = 5) -> list[dict[str, str]]:
    """The leaves in which two contents differ, at most ``most``."""
    if isinstance(one, dict) and isinstance(other, dict):
        found: list[dict[str, str]] = []
        for key in sorted({*one, *other}, key=str):
            if len(found) >= most:
                break
            found += differences(
                one.get(key), other.get(key), f"{path}.{key}" if path else str(key), most - len(found)
            )
        return found
    if plain(one) == plain(other):
        return []
    return [
        {
            "path": path or "body",
            "one": words.middle(written(one), 60),
            "other": words.middle(written(other), 60),
        }
    ]
