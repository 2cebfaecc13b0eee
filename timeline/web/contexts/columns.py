"""The columns of a result list: which, in which order, and how dense.

The URL comes first, then what the reader made the usual one; a link that names columns never changes that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from timeline.domain import Row, Stored
from timeline.search.tokens import values_of
from timeline.web import words

MOST: Final = 14
LONGEST: Final = 120  # characters of an attribute's key
_KEY: Final = re.compile(r"[^\x00-\x1f,]{1,120}")


class Column(NamedTuple):
    """One column: ``key`` is how the URL names it."""

    key: str
    label: str
    numeric: bool = False
    optional: bool = False  # gives way on narrow windows


COLUMNS: Final = {
    one.key: one
    for one in (
        Column("name", "Type or operation"),
        Column("service", "Service"),
        Column("entity", "Entity"),
        Column("place", "Topic / partition / offset", optional=True),
        Column("wait", "Wait", numeric=True),
        Column("work", "Work", numeric=True),
        Column("attempt", "Attempt", numeric=True, optional=True),
        Column("trace", "Trace", optional=True),
        Column("flags", "Flags"),
        Column("age", "Age", numeric=True),
        Column("received", "Received"),
        Column("environment", "Environment"),
        Column("event", "Event id"),
        Column("kind", "Span kind"),
        Column("size", "Body", numeric=True),
        Column("headers", "Headers", numeric=True),
        Column("schema", "Schema"),
        Column("group", "Consumer group"),
        Column("key", "Message key"),
    )
}
USUAL: Final = ("name", "service", "entity", "place", "wait", "work", "trace", "flags")
DENSITIES: Final = ("compact", "comfortable")


def columns_of(text: str) -> tuple[Column, ...]:
    """The columns that a URL or a cookie names with commas between; other names are attribute keys.

    Empty where nothing usable is named; else the name is among them, since it opens the fact.
    """
    found: list[Column] = []
    for name in dict.fromkeys(part.strip() for part in text.split(",")):
        if name in COLUMNS:
            found.append(COLUMNS[name])
        elif _KEY.fullmatch(name):
            found.append(Column(name, name))
    if found and COLUMNS["name"] not in found[:MOST]:
        found.insert(0, COLUMNS["name"])
    return tuple(found[:MOST])


def chosen(params: Mapping[str, str], cookies: Mapping[str, str]) -> dict[str, Any]:
    """The columns and density in force, and whether the URL sets them apart from the reader's own."""
    own = columns_of(cookies.get("columns", "")) or columns_of(",".join(USUAL))
    asked = columns_of(params.get("columns", ""))
    usual = cookies.get("density", "") if cookies.get("density", "") in DENSITIES else DENSITIES[0]
    density = params.get("density", "")
    return {
        "columns": asked or own,
        "density": density if density in DENSITIES else usual,
        "by_link": bool(asked and asked != own) or (density in DENSITIES and density != usual),
    }


def cell(column: Column, row: Row, stored: Stored | None, now: int) -> dict[str, Any]:
    """What an extra column shows of a fact; the built-in ones have cells of their own."""
    message = stored.fact.message if stored is not None else None
    match column.key:
        case "age":
            at = row.at if row.at is not None else row.received
            return {"text": words.about(max(0, now - at))}
        case "received":
            return {"at": row.received}
        case "environment":
            return {"text": row.environment}
        case "event":
            return {"text": row.event_id or "", "mono": True}
        case "kind":
            return {"text": row.span_kind or ""}
        case "size":
            return {"text": words.size(message.body_size) if message else ""}
        case "headers":
            return {"text": words.size(message.header_bytes) if message else ""}
        case "schema":
            return {"text": (message.schema or "") if message else ""}
        case "group":
            return {"text": (message.group or "") if message else "", "mono": True}
        case "key":
            return {"text": (message.key or "") if message else "", "mono": True}
        case _:
            return {"text": _attribute(stored, column.key), "mono": True}


def _attribute(stored: Stored | None, key: str) -> str:
    if stored is None:
        return ""
    found = [str(value) for value in values_of(stored.fact, key)][:4]
    return ", ".join(dict.fromkeys(found))[:200]
