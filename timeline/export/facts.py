"""A fact in JSON: one shape for spans and events (``docs/http-api.md``).

Every key is always there; what a fact does not have is ``null`` or empty. A row of a result list has the
same keys, fewer of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from timeline.domain import (
    Annotation,
    Event,
    EventInfo,
    Fact,
    Link,
    Message,
    Row,
    Scope,
    Span,
    Stored,
)
from timeline.export.values import Json, attributes_json, moment, number, text, value_json


def fact_json(stored: Stored, *, variants: Sequence[Stored] = (), arrivals: Sequence[int] = ()) -> Json:
    """One fact, whole.

    ``variants`` are other contents under its identity (their ids are named); ``arrivals`` the times at which
    it arrived, where known: ``arrivals`` counts them, ``arrived_at`` lists them.
    """
    fact, receipt = stored.fact, stored.receipt
    span = fact if isinstance(fact, Span) else None
    event = fact if isinstance(fact, Event) else None
    arrived = list(arrivals) or [receipt.received]
    return {
        "id": receipt.id,
        "fact": "span" if span else "event",
        "event_kind": event.kind if event else None,
        "name": text(fact.name),
        "at": moment(fact.at),
        "until": moment(fact.until),
        "observed_at": moment(event.observed) if event else None,
        "received_at": moment(receipt.received),
        "service": text(fact.service),
        "instance": text(fact.instance),
        "version": text(fact.version),
        "environment": text(fact.environment),
        "span_kind": span.kind if span else None,
        "status": span.status if span else None,
        "status_message": text(span.status_message) if span else None,
        "severity": text(event.severity) if event else None,
        "severity_number": event.severity_number if event else None,
        "trace_id": fact.ref.trace_id if fact.ref else None,
        "span_id": fact.ref.span_id if fact.ref else None,
        "parent_id": span.parent if span else None,
        "trace_state": text(span.trace_state) if span else None,
        "flags": fact.flags,
        "links": [link_json(link) for link in span.links] if span else [],
        "event": event_json(fact.event),
        "message": message_json(fact.message),
        "entities": [text(str(one)) for one in fact.entities],
        "context": [text(str(one)) for one in fact.context],
        "body": value_json(event.body) if event else None,
        "attributes": attributes_json(fact.attributes),
        "resource": attributes_json(fact.resource),
        "scope": scope_json(fact.scope),
        "schema_url": text(fact.schema_url),
        "annotations": [annotation_json(one) for one in span.annotations] if span else [],
        "dropped": _dropped(fact),
        "sender": text(receipt.sender),
        "identity": receipt.identity,
        "content": receipt.content,
        "variant": receipt.variant,
        "partial": receipt.partial,
        "variants": [one.receipt.id for one in variants],
        "arrivals": len(arrived),
        "arrived_at": [moment(at) for at in arrived],
    }


def _dropped(fact: Fact) -> Json:
    dropped = fact.dropped
    return {
        "attributes": dropped.attributes,
        "annotations": dropped.annotations,
        "links": dropped.links,
    }


def link_json(link: Link) -> Json:
    """A span link with its own attributes."""
    return {
        "trace_id": link.ref.trace_id,
        "span_id": link.ref.span_id,
        "attributes": attributes_json(link.attributes),
        "trace_state": text(link.trace_state),
        "flags": link.flags,
        "dropped_attributes": link.dropped_attributes,
    }


def annotation_json(note: Annotation) -> Json:
    """What OpenTelemetry calls a span event."""
    return {
        "at": moment(note.at),
        "name": text(note.name),
        "attributes": attributes_json(note.attributes),
        "dropped_attributes": note.dropped_attributes,
    }


def scope_json(scope: Scope) -> Json:
    """The instrumentation scope."""
    return {
        "name": text(scope.name),
        "version": text(scope.version),
        "attributes": attributes_json(scope.attributes),
        "schema_url": text(scope.schema_url),
        "dropped_attributes": scope.dropped_attributes,
    }


def message_json(message: Message | None) -> Json | None:
    """The messaging facts; ``null`` where the fact is about no message."""
    if message is None:
        return None
    fields = (
        "system", "operation", "destination", "partition", "offset", "key", "id", "group", "cluster",
        "conversation_id", "attempt", "batch_count", "body_size", "header_bytes", "schema",
    )  # fmt: skip
    return {name: value_json(getattr(message, name)) for name in fields}


def event_json(event: EventInfo | None) -> Json | None:
    """CloudEvents identity and context; ``null`` where the fact is about no event."""
    if event is None:
        return None
    fields = ("source", "id", "type", "subject", "correlation_id", "causation_id", "sequence")
    return {name: value_json(getattr(event, name)) for name in fields} | {"time": moment(event.time)}


def row_json(row: Row) -> Json:
    """A line of a result list, under the names of ``fact_json``."""
    message = {
        "destination": row.destination,
        "operation": row.operation,
        "partition": row.partition,
        "offset": None if row.offset is None else number(row.offset),
        "attempt": row.attempt,
        "batch_count": row.batch_count,
    }
    return {
        "id": row.id,
        "fact": row.fact,
        "event_kind": row.event_kind,
        "name": text(row.name),
        "at": moment(row.at),
        "until": moment(row.until),
        "received_at": moment(row.received),
        "service": text(row.service),
        "environment": text(row.environment),
        "span_kind": row.span_kind,
        "status": row.status if row.fact == "span" else None,
        "trace_id": row.trace_id,
        "span_id": row.span_id,
        "event": {"id": value_json(row.event_id), "type": value_json(row.type)},
        "message": {name: value_json(value) for name, value in message.items()},
        "entities": [text(one) for one in row.entities],
        "identity": row.identity,
        "variant": row.variant,
        "partial": row.partial,
    }
