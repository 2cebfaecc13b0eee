"""Producers and consumers of one topic, as facts; times are ms after ``NOW``."""

from __future__ import annotations

from typing import Any

from tests.builders import NOW, event, ref, span, span_id, stored
from timeline.domain import Event, EventInfo, Link, Message, Stored, Timeline
from timeline.rebuild.assemble import timeline

MS = 1_000_000
TRACE = "trace:1"


def ms(value: float) -> int:
    """ns of a moment ``value`` ms after ``NOW``."""
    return NOW + round(value * MS)


def message(**fields: Any) -> Message:
    """Messaging facts of topic ``bets``."""
    return Message(**({"system": "kafka", "destination": "bets"} | fields))


def spanned(
    trace: int,
    number: int,
    start: float | None,
    end: float | None,
    *,
    parent: int | None = None,
    **fields: Any,
) -> Stored:
    """A stored span from ``start`` to ``end`` ms."""
    receipt = fields.pop("receipt", {})
    made = span(
        trace,
        number,
        start=None if start is None else ms(start),
        end=None if end is None else ms(end),
        parent=None if parent is None else span_id(parent),
        **fields,
    )
    return stored(made, **receipt)


def sent(
    trace: int, number: int, start: float, end: float, *, to: dict[str, Any] | None = None, **fields: Any
) -> Stored:
    """A send span of service ``shop``; ``to`` are its messaging facts."""
    given = {"kind": "producer", "name": "send bets", "service": "shop"} | fields
    return spanned(trace, number, start, end, message=message(operation="send", **(to or {})), **given)


def taken(
    trace: int,
    number: int,
    start: float,
    end: float | None,
    *,
    of: dict[str, Any] | None = None,
    **fields: Any,
) -> Stored:
    """A process span of service and group ``wallet``."""
    given = {"kind": "consumer", "name": "process bets", "service": "wallet"} | fields
    facts = {"operation": "process", "group": given["service"]} | (of or {})
    return spanned(trace, number, start, end, message=message(**facts), **given)


def link(trace: int, number: int, **attributes: Any) -> Link:
    """A link to span ``number`` of ``trace``."""
    return Link(
        ref=ref(trace, number),
        attributes={key.replace("__", "."): value for key, value in attributes.items()},
    )


def posted(number: int, at: float | None, **fields: Any) -> Stored:
    """A posted CloudEvent."""
    receipt = fields.pop("receipt", {})
    return stored(event(number, at=None if at is None else ms(at), **fields), **receipt)


def recorded(at: float, **fields: Any) -> Stored:
    """A broker record of topic ``bets``, without a service."""
    told = message(**fields.pop("of", {}))
    made = Event(kind="record", name="bets", at=ms(at), message=told, **fields)
    return stored(made, identity=f"record {told.destination} {told.partition} {told.offset}")


def cloud(number: int = 1, **fields: Any) -> EventInfo:
    """The CloudEvents identity of event ``number``."""
    return EventInfo(**({"source": "/shop", "id": f"event-{number}", "type": "BetPlaced"} | fields))


def whats(found: Timeline) -> list[str]:
    """Names of the entries in order."""
    return [entry.what for entry in found.entries]


def badges(found: Timeline) -> dict[str, tuple[str, ...]]:
    """Badges by entry name."""
    return {entry.what: entry.badges for entry in found.entries}


def rebuilt(*facts: Stored, subject: str = TRACE, **options: Any) -> Timeline:
    """The timeline of these facts."""
    return timeline(subject, facts, **options)
