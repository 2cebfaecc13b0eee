"""A fact as few bytes before compression: its ids, and everything else in fixed order.

Ids are hashes and random numbers: they go as bytes of their own, so that they do not stand
in the way of compressing the rest. What follows from other parts (the fact id, the order
among equals) is left out and worked out again. Times are kept as distances.
"""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec
from msgspec.structs import astuple

from timeline.domain import (
    Annotation,
    Attributes,
    Dropped,
    Entity,
    Event,
    EventInfo,
    EventKind,
    Link,
    Message,
    Receipt,
    Scope,
    Span,
    SpanKind,
    SpanRef,
    Status,
    Stored,
)
from timeline.ingest.identity import (
    PARENT,
    REGULAR,
    TRACE,
    from_hex,
    from_text,
    id_of,
    tie,
    to_text,
    usable,
)

_VARIANT, _PARTIAL, _SAMPLED, _LATER = 1, 2, 4, 8
_EVENT_KINDS: Final = frozenset(get_args(EventKind))
_NO_SCOPE: Final = Scope()
_NOT_DROPPED: Final = Dropped()


class _OfSpan(msgspec.Struct, array_like=True, tag=0, gc=False):
    """What few spans have."""

    end: int | None
    parent: str | None
    status: Status
    status_message: str
    trace_state: str
    links: tuple[tuple[Any, ...], ...]
    annotations: tuple[tuple[Any, ...], ...]


class _OfEvent(msgspec.Struct, array_like=True, tag=1, gc=False):
    """What few events have."""

    observed: int | None
    severity: str
    severity_number: int
    body: Any


class _Rest(msgspec.Struct, array_like=True, gc=False):
    """Everything but the ids, for any fact."""

    # the receipt
    received: int  # how much later than the fact's own time, where marked so
    position: int
    marks: int
    workspace: str
    sender: str
    irregular: tuple[str, str, str, int, str] | None  # id, identity, content, tie, request
    # the fact
    kind: str  # of the span or of the event: no kind is both
    name: str
    service: str
    instance: str
    version: str
    environment: str
    resource: Attributes
    scope: tuple[Any, ...] | None
    schema_url: str
    flags: int
    at: int | None
    length: int | None  # until its end, or until it was observed, where both are usable
    ref: tuple[str, str] | None  # where it does not stand among the ids
    dropped: tuple[int, int, int] | None
    message: tuple[Any, ...] | None
    event: tuple[Any, ...] | None
    entities: tuple[str, ...]  # type, id, type, id, ...
    context: tuple[str, ...]
    attributes: Attributes
    more: _OfSpan | _OfEvent | None


_encode = msgspec.msgpack.Encoder().encode
packed = _encode
"""A part of a fact as ``pack`` writes it."""
_decode = msgspec.msgpack.Decoder(_Rest).decode


def pack(stored: Stored) -> tuple[bytes, bytes]:
    """The ids of a fact, at most 70 bytes, and the rest, which is worth compressing.

    Raises ``ValueError``, ``TypeError`` or ``OverflowError`` for what MessagePack cannot hold.
    """
    fact, receipt = stored.fact, stored.receipt
    ids, irregular = stored.ids or _ids(stored), None
    which = ids[0]
    if not which & REGULAR:
        irregular = (receipt.id, receipt.identity, receipt.content, receipt.tie, receipt.request)
    ref = None
    if fact.ref is not None and not which & TRACE:
        ref = (fact.ref.trace_id, fact.ref.span_id)
    later = fact.end if isinstance(fact, Span) else fact.observed
    received, length, mark = _distances(fact.at, later, receipt.received)
    marks = receipt.variant * _VARIANT | receipt.partial * _PARTIAL | receipt.sampled * _SAMPLED | mark
    dropped, message, event = fact.dropped, fact.message, fact.event
    rest = (  # as _Rest is written
        received,
        receipt.position,
        marks,
        receipt.workspace,
        receipt.sender,
        irregular,
        fact.kind,
        fact.name,
        fact.service,
        fact.instance,
        fact.version,
        fact.environment,
        fact.resource,
        scope_of(fact.scope),
        fact.schema_url,
        fact.flags,
        fact.at,
        length,
        ref,
        None if dropped is _NOT_DROPPED or dropped == _NOT_DROPPED else astuple(dropped),
        None if message is None else _trimmed(message),
        None if event is None else _trimmed(event),
        _flat(fact.entities),
        _flat(fact.context),
        fact.attributes,
        _more_of_event(fact, length)
        if isinstance(fact, Event)
        else _more_of_span(fact, length, literal=None if which & PARENT else fact.parent),
    )
    return ids, _encode(rest)


def scope_of(scope: Scope) -> tuple[Any, ...] | None:
    """A scope as ``pack`` writes it."""
    return None if scope is _NO_SCOPE or scope == _NO_SCOPE else astuple(scope)


def _ids(stored: Stored) -> bytes:
    """What stands among the ids of a fact, and those."""
    which, ids, fact = 0, b"", stored.fact
    regular = _regular(stored)
    if regular is not None:
        which, ids = REGULAR, regular
    if fact.ref is not None:
        trace_id, span_id = from_hex(fact.ref.trace_id, 16), from_hex(fact.ref.span_id, 8)
        if trace_id is not None and span_id is not None:
            which, ids = which | TRACE, ids + trace_id + span_id
    if isinstance(fact, Span) and fact.parent is not None:
        parent = from_hex(fact.parent, 8)
        if parent is not None:
            which, ids = which | PARENT, ids + parent
    return bytes((which,)) + ids


def _distances(at: int | None, later: int | None, received: int) -> tuple[int, int | None, int]:
    """When it was received and how long it took, from its own time on where both are usable."""
    if at is None or not usable(at):
        return received, None, 0
    length = later - at if later is not None and usable(later) else None
    return (received - at, length, _LATER) if usable(received) else (received, length, 0)


def unpack(ids: bytes, rest: bytes) -> Stored:
    """The fact that ``pack`` made these bytes of."""
    which, at = ids[0], 1
    row = _decode(rest)
    content = identity = request = trace_id = span_id = parent = ""
    if which & REGULAR:
        content, identity = ids[1:17].hex(), to_text(ids[17:29])
        request, at = ids[29:37].hex(), 37
    if which & TRACE:
        trace_id, span_id, at = ids[at : at + 16].hex(), ids[at + 16 : at + 24].hex(), at + 24
    if which & PARENT:
        parent = ids[at : at + 8].hex()
    ref = None
    if which & TRACE:
        ref = SpanRef(trace_id=trace_id, span_id=span_id)
    elif row.ref is not None:
        ref = SpanRef(trace_id=row.ref[0], span_id=row.ref[1])
    fact = _event(row, ref) if row.kind in _EVENT_KINDS else _span(row, ref, parent)
    if row.irregular is not None:
        fact_id, identity, content, order, request = row.irregular
    else:
        fact_id = id_of(identity, _own_time(fact))
        order = _tie(fact, row.position, fact_id)
    received = row.received
    if row.marks & _LATER and row.at is not None:
        received += row.at
    return Stored(
        fact=fact,
        receipt=Receipt(
            id=fact_id,
            identity=identity,
            content=content,
            tie=order,
            workspace=row.workspace,
            received=received,
            request=request,
            position=row.position,
            sender=row.sender,
            variant=bool(row.marks & _VARIANT),
            partial=bool(row.marks & _PARTIAL),
            sampled=bool(row.marks & _SAMPLED),
        ),
    )


def _regular(stored: Stored) -> bytes | None:
    """Content, identity and request as bytes, where these and nothing else make the receipt's ids."""
    receipt = stored.receipt
    content, request = from_hex(receipt.content, 16), from_hex(receipt.request, 8)
    identity = from_text(receipt.identity)
    if content is None or request is None or identity is None:
        return None
    if receipt.id != id_of(receipt.identity, _own_time(stored.fact)):
        return None
    if receipt.tie != _tie(stored.fact, receipt.position, receipt.id):
        return None
    return content + identity + request


def _own_time(fact: Span | Event) -> int | None:
    """The time that a fact's id starts with."""
    return fact.at if isinstance(fact, Span) or usable(fact.at) else fact.observed


def _tie(fact: Span | Event, position: int, fact_id: str) -> int:
    sequence = fact.event.sequence if fact.event is not None else None
    observed = fact.observed if isinstance(fact, Event) else None
    return tie(sequence=sequence, at=fact.at, observed=observed, position=position, fact_id=fact_id)


def _trimmed(struct: Message | EventInfo) -> tuple[Any, ...]:
    """The fields in order, without the empty ones at the end."""
    fields = astuple(struct)
    size = len(fields)
    while size and fields[size - 1] is None:
        size -= 1
    return fields[:size]


def _flat(entities: tuple[Entity, ...]) -> tuple[str, ...]:
    if len(entities) == 1:
        return (entities[0].type, entities[0].id)
    return tuple(part for entity in entities for part in (entity.type, entity.id))


def _more_of_span(span: Span, length: int | None, literal: str | None) -> _OfSpan | None:
    end = span.end if length is None else None
    if (
        span.status == "unset"
        and end is None
        and literal is None
        and not (span.status_message or span.trace_state or span.links or span.annotations)
    ):
        return None
    return _OfSpan(
        end,
        literal,
        span.status,
        span.status_message,
        span.trace_state,
        tuple(
            (
                link.ref.trace_id,
                link.ref.span_id,
                link.attributes,
                link.trace_state,
                link.flags,
                link.dropped_attributes,
            )
            for link in span.links
        ),
        tuple(astuple(note) for note in span.annotations),
    )


def _more_of_event(event: Event, length: int | None) -> _OfEvent | None:
    observed = event.observed if length is None else None
    if observed is None and event.body is None and not (event.severity or event.severity_number):
        return None
    return _OfEvent(observed, event.severity, event.severity_number, event.body)


_MESSAGE_FIELDS: Final = Message.__struct_fields__
_EVENT_FIELDS: Final = EventInfo.__struct_fields__


def _common(row: _Rest) -> dict[str, Any]:
    """What spans and events have in common, by field."""
    found: dict[str, Any] = {
        "name": row.name,
        "service": row.service,
        "instance": row.instance,
        "version": row.version,
        "environment": row.environment,
        "schema_url": row.schema_url,
        "flags": row.flags,
        "attributes": row.attributes,
        "resource": row.resource,
    }
    if row.scope is not None:
        found["scope"] = Scope(**dict(zip(Scope.__struct_fields__, row.scope, strict=True)))
    if row.dropped is not None:
        found["dropped"] = Dropped(**dict(zip(Dropped.__struct_fields__, row.dropped, strict=True)))
    if row.message is not None:
        found["message"] = Message(**dict(zip(_MESSAGE_FIELDS, row.message, strict=False)))
    if row.event is not None:
        found["event"] = EventInfo(**dict(zip(_EVENT_FIELDS, row.event, strict=False)))
    if row.entities:
        found["entities"] = _entities(row.entities)
    if row.context:
        found["context"] = _entities(row.context)
    return found


def _entities(flat: tuple[str, ...]) -> tuple[Entity, ...]:
    return tuple(Entity(type=flat[n], id=flat[n + 1]) for n in range(0, len(flat), 2))


def _span(row: _Rest, ref: SpanRef | None, parent: str) -> Span:
    found = _common(row)
    if row.length is not None and row.at is not None:
        found["end"] = row.at + row.length
    if parent:
        found["parent"] = parent
    more = row.more
    if isinstance(more, _OfSpan):
        found["status"], found["status_message"] = more.status, more.status_message
        found["trace_state"] = more.trace_state
        found.setdefault("end", more.end)
        found.setdefault("parent", more.parent)
        found["links"] = tuple(
            Link(
                ref=SpanRef(trace_id=link[0], span_id=link[1]),
                attributes=link[2],
                trace_state=link[3],
                flags=link[4],
                dropped_attributes=link[5],
            )
            for link in more.links
        )
        found["annotations"] = tuple(
            Annotation(**dict(zip(Annotation.__struct_fields__, note, strict=True)))
            for note in more.annotations
        )
    kind: SpanKind = row.kind  # type: ignore[assignment]  # it came from a span
    return Span(ref=ref or SpanRef(trace_id="", span_id=""), kind=kind, start=row.at, **found)


def _event(row: _Rest, ref: SpanRef | None) -> Event:
    found = _common(row)
    if row.length is not None and row.at is not None:
        found["observed"] = row.at + row.length
    more = row.more
    if isinstance(more, _OfEvent):
        found.setdefault("observed", more.observed)
        found["severity"], found["severity_number"] = more.severity, more.severity_number
        found["body"] = more.body
    kind: EventKind = row.kind  # type: ignore[assignment]  # it came from an event
    return Event(ref=ref, kind=kind, at=row.at, **found)
