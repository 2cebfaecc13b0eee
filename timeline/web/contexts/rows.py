"""Result rows: flat lines for the table, with gap and day rows between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from timeline.domain import Row, Stored
from timeline.search.syntax import write_key, write_value
from timeline.web import words
from timeline.web.contexts.columns import USUAL, Column, cell, columns_of
from timeline.web.contexts.frame import entity_path, link

LATE = words.MINUTE  # a fact received later than that after its end is late


def narrowed(text: str, key: str, value: str, *, without: bool = False) -> str:
    """The query text with one more condition."""
    condition = f"{write_key(key)}:{write_value(value)}"
    if without:
        condition = f"NOT {condition}"
    text = text.strip()
    if not text or text == "*":
        return condition
    return f"({text}) {condition}" if " OR " in text else f"{text} {condition}"


def door(params: Mapping[str, str], key: str, value: str) -> dict[str, str]:
    """Links that filter a value in and out of the reader's search."""
    text = params.get("q", "")
    return {
        "value": value,
        "only": link("/search", {**params, "q": narrowed(text, key, value)}),
        "without": link("/search", {**params, "q": narrowed(text, key, value, without=True)}),
    }


def row_line(row: Row, params: Mapping[str, str], hues: Mapping[str, int]) -> dict[str, Any]:
    """One row as the table shows it."""
    work = row.until - row.at if row.until is not None and row.at is not None else None
    asked = params.get("q", "")
    first = next((name for name in row.entities if name in asked), row.entities[0] if row.entities else "")
    place = ""
    if row.destination is not None:
        offset = None if row.offset is None else str(row.offset)
        place = "/".join(part for part in (row.destination, row.partition, offset) if part is not None)
    return {
        "is": "row",
        "id": row.id,
        "href": link(f"/facts/{quote(row.id, safe='')}", params),
        "at": row.at if row.at is not None else row.received,
        "placed_by_received": row.at is None,
        "event": row.fact == "event",
        "name": row.type or row.name or row.event_kind or "unnamed",
        "service": row.service,
        "hue": hues.get(row.service, 0),
        "service_door": door(params, "service", row.service) if row.service else None,
        "entity": first,
        "entity_href": link(entity_path(first), params) if first else "",
        "more_entities": max(0, len(row.entities) - 1),
        "other_entities": ", ".join(name for name in row.entities if name != first),
        "place": place,
        "place_href": door(params, "destination", row.destination)["only"] if row.destination else "",
        "work": work if work else None,
        "attempt": row.attempt,
        "again": row.attempt if row.attempt and row.attempt > 1 else None,
        "trace": row.trace_id or "",
        "trace_href": link(f"/traces/{row.trace_id}", params, span=row.span_id) if row.trace_id else "",
        "failed": row.status == "error",
        "batch": row.batch_count if row.batch_count and row.batch_count > 1 else None,
        "variant": row.variant,
        "partial": row.partial,
        "kind": row.event_kind if row.fact == "event" and row.event_kind != "cloudevent" else "",
    }


def lines(
    rows: Sequence[Row], params: Mapping[str, str], hues: Mapping[str, int], *, by_time: bool = True
) -> list[dict[str, Any]]:
    """Rows in order, with a line where a day begins and, in the order of time, where nothing was for long."""
    placed = [row.at for row in rows if row.at is not None]
    several_days = bool(placed) and not words.same_day(min(placed), max(placed))
    quiet = max(words.MINUTE, (max(placed) - min(placed)) // 12) if placed else 0
    shown: list[dict[str, Any]] = []
    before: int | None = None
    for row in rows:
        new_day = (
            several_days and row.at is not None and (before is None or not words.same_day(before, row.at))
        )
        if by_time and before is not None and row.at is not None and abs(row.at - before) > quiet:
            shown.append({"is": "gap", "length": abs(row.at - before)})
        if new_day:
            shown.append({"is": "day", "at": row.at})
        shown.append(row_line(row, params, hues))
        before = row.at if row.at is not None else before
    return shown


def with_cells(
    shown: list[dict[str, Any]],
    facts: Sequence[Stored],
    columns: Sequence[Column],
    params: Mapping[str, str],
    now: int,
    waits: Mapping[str, int] | None,
) -> list[dict[str, Any]]:
    """The same lines with the columns of a search page, and with what can be done with each row.

    ``params`` are the whole of the page's own: what opens beside the rows leaves them as they are.
    ``waits`` (ns) are those of messages, by the fact of their handling; ``None`` says that nothing is known of them.
    """
    by_id = {stored.receipt.id: stored for stored in facts}
    received = params.get("sort") == "received"
    back = link("", {**params, "fact": None})[1:]
    for line in shown:
        if line["is"] != "row":
            continue
        stored = by_id.get(line["id"])
        if stored is None:
            continue
        row = Row.of(stored)
        line["cells"] = [
            {"key": column.key, "optional": column.optional, "numeric": column.numeric}
            if column.key in USUAL
            else {"key": "other", "numeric": column.numeric, **cell(column, row, stored, now)}
            for column in columns
        ]
        line["wait"] = max(0, waits[row.id]) if waits and row.id in waits else None
        line["wait_unknown"] = waits is None and row.span_kind == "consumer"
        line["preview"] = link("/search", params, fact=row.id)
        line["around"] = link(f"/facts/{quote(row.id, safe='')}/around", {}, back=back)
        line["chosen"] = params.get("fact") == row.id
        end = row.until if row.until is not None else row.at
        line["late"] = received and end is not None and row.received - end > LATE
    return shown


def usual_columns() -> tuple[Column, ...]:
    """The columns of a list that nobody chose otherwise."""
    return columns_of(",".join(USUAL))
