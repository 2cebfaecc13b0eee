"""What the facts of the told story must be, attribute for attribute."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.clients.drive import STORY
from timeline.domain import Event, Fact, Span
from timeline.ingest.decode import decode
from timeline.ingest.entities import Rules
from timeline.ingest.request import Accepted


def facts(requests: Iterable[Accepted]) -> list[Fact]:
    """Everything that decoding makes of requests; nothing may be poison."""
    found: list[Fact] = []
    for request in requests:
        decoded = decode(request, Rules.default())
        assert decoded.poison == []
        assert request.items == len(decoded.facts)
        found += [stored.fact for stored in decoded.facts]
    return found


def told_spans() -> list[dict[str, Any]]:
    """The story's spans as plain values."""
    parents = [None, *(span["span_id"] for span in STORY["spans"])]
    return [
        {
            "trace_id": STORY["trace_id"],
            "span_id": told["span_id"],
            "parent": parent,
            "name": told["name"],
            "kind": told["kind"],
            "start": int(told["start"]),
            "end": int(told["end"]),
            "status": (told["status"], told["status_message"]),
            "attributes": told["attributes"],
            "annotations": [(int(n["at"]), n["name"], n["attributes"]) for n in told["annotations"]],
            "links": [(n["trace_id"], n["span_id"], n["attributes"]) for n in told["links"]],
            "resource": STORY["resource"],
            "scope": (STORY["scope"]["name"], STORY["scope"]["version"]),
        }
        for told, parent in zip(STORY["spans"], parents, strict=False)
    ]


def span_values(fact: Fact) -> dict[str, Any]:
    """A span as plain values, to be compared with what was told."""
    assert isinstance(fact, Span)
    return {
        "trace_id": fact.ref.trace_id,
        "span_id": fact.ref.span_id,
        "parent": fact.parent,
        "name": fact.name,
        "kind": fact.kind,
        "start": fact.start,
        "end": fact.end,
        "status": (fact.status, fact.status_message),
        "attributes": fact.attributes,
        "annotations": [(note.at, note.name, note.attributes) for note in fact.annotations],
        "links": [(link.ref.trace_id, link.ref.span_id, link.attributes) for link in fact.links],
        "resource": fact.resource,
        "scope": (fact.scope.name, fact.scope.version),
    }


def told_records() -> list[dict[str, Any]]:
    """The story's log records as plain values."""
    return [
        told
        | {
            "at": int(told["at"]),
            "observed": int(told["observed"]),
            "resource": STORY["resource"],
            "scope": (STORY["scope"]["name"], STORY["scope"]["version"]),
        }
        for told in STORY["records"]
    ]


def record_values(fact: Fact) -> dict[str, Any]:
    """A log record as plain values."""
    assert isinstance(fact, Event)
    assert fact.kind == "log"
    return {
        "at": fact.at,
        "observed": fact.observed,
        "severity": fact.severity,
        "severity_number": fact.severity_number,
        "body": fact.body,
        "attributes": fact.attributes,
        "resource": fact.resource,
        "scope": (fact.scope.name, fact.scope.version),
    }


def told_events() -> list[dict[str, Any]]:
    """The story's CloudEvents as plain values."""
    return [
        {
            "source": told["source"],
            "id": told["id"],
            "type": told["type"],
            "subject": told["subject"],
            "correlation": told.get("correlationid"),
            "causation": told.get("causationid"),
            "key": told.get("partitionkey"),
            "data": told["data"],
        }
        for told in STORY["events"]
    ]


def event_values(fact: Fact) -> dict[str, Any]:
    """A CloudEvent as plain values."""
    assert isinstance(fact, Event)
    assert fact.event is not None
    assert fact.at is not None
    return {
        "source": fact.event.source,
        "id": fact.event.id,
        "type": fact.event.type,
        "subject": fact.event.subject,
        "correlation": fact.event.correlation_id,
        "causation": fact.event.causation_id,
        "key": fact.message.key if fact.message else None,
        "data": fact.body,
    }
