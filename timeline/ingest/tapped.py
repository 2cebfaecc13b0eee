"""Records of a broker as facts, as the tap read them.

A record is identified by where it lies: cluster, topic, partition, offset. Reading it again, from anywhere,
makes the same fact.
"""

from __future__ import annotations

from typing import Final

import msgspec

from timeline.domain import Attributes, Event, EventInfo, Message, Stored, Value
from timeline.errors import MalformedPayload
from timeline.ingest.cloudevents import origin_of, publisher
from timeline.ingest.entities import Rules, entities_of
from timeline.ingest.facts import each, store
from timeline.ingest.identity import content_of
from timeline.ingest.normalise import samples
from timeline.ingest.pieces import more_leaves
from timeline.ingest.request import Accepted, Decoded
from timeline.ingest.values import clean

MEDIA: Final = "application/vnd.throughline.records+msgpack"


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record as the tap read it; ``at`` is the event's time where it tells one, ``stamped`` the record's
    own (both ns UTC), ``key`` its key as text."""

    topic: str
    partition: int
    offset: int
    name: str
    at: int | None = None
    stamped: int | None = None
    key: str = ""
    id: str = ""
    source: str = ""
    subject: str = ""
    service: str = ""
    environment: str = ""
    correlation: str = ""
    causation: str = ""
    sequence: str = ""
    message_id: str = ""
    schema: str = ""
    traceparent: str = ""
    tracestate: str = ""
    body: Value = None
    attributes: Attributes = {}
    size: int = 0
    header_bytes: int = 0


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """The records of one request, and the cluster they lie in."""

    cluster: str
    records: list[Record]


decode = msgspec.msgpack.Decoder(Records).decode
encode = msgspec.msgpack.Encoder().encode


def read(accepted: Accepted, body: bytes, rules: Rules) -> Decoded:
    """The facts of a request of records. Raises ``MalformedPayload`` where it is none."""
    try:
        found = decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedPayload(f"these are no records: {error}", remedy="start the tap again") from error
    return each(
        enumerate(found.records),
        lambda position, record: _fact(accepted, found.cluster, record, rules, position),
        encode,
    )


def _fact(accepted: Accepted, cluster: str, record: Record, rules: Rules, position: int) -> Stored:
    message = Message(
        system="kafka",
        destination=record.topic,
        id=record.message_id or None,
        key=record.key or None,
        partition=str(record.partition),
        offset=record.offset,
        body_size=record.size,
        header_bytes=record.header_bytes or None,
        schema=record.schema or None,
        cluster=cluster or None,
    )
    told = record.id or record.source or record.subject or record.correlation or record.causation
    info = EventInfo(
        source=record.source or None,
        id=record.id or None,
        type=record.name,
        subject=record.subject or None,
        time=record.at,
        correlation_id=record.correlation or None,
        causation_id=record.causation or None,
        sequence=record.sequence or None,
    )
    attributes, body = clean(record.attributes), clean(record.body)
    subjects, context = entities_of(
        rules, rules.plan(attributes), attributes, message=message, event=info, body=body
    )
    ref, flags = origin_of(record.traceparent)
    made = Event(
        kind="record",
        name=record.name,
        ref=ref,
        flags=flags,
        service=record.service or (publisher(record.source) if record.source else ""),
        environment=record.environment,
        at=record.at if record.at is not None else record.stamped,
        observed=record.stamped,
        body=body,
        message=message,
        event=info if told or record.name != record.topic else None,
        entities=subjects,
        context=context,
        attributes=attributes,
    )
    return store(
        accepted,
        made,
        identity=("record", "kafka", cluster, record.topic, record.partition, record.offset),
        content=content_of(*msgspec.structs.astuple(record)),
        position=position,
        sampled=samples(record.tracestate),
        partial=more_leaves(body),
    )
