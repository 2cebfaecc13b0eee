"""Rows of feeds and logs that nobody instrumented, as facts.

``manage.py import`` reads a file by a mapping and accepts its rows as requests of this signal; the
drain makes facts of them like of all others. A row is identified by the import's name, its content
and how many equal rows stood before it in the whole file, so that neither where the file was cut
into requests nor a second try matters.
"""

from __future__ import annotations

from typing import Final

import msgspec

from timeline.domain import Attributes, Event, EventInfo, Stored, Value
from timeline.errors import MalformedPayload
from timeline.ingest.entities import Rules, entities_of
from timeline.ingest.facts import each, store
from timeline.ingest.identity import content_of
from timeline.ingest.pieces import more_leaves
from timeline.ingest.request import Accepted, Decoded
from timeline.ingest.values import clean

MEDIA: Final = "application/vnd.throughline.rows+msgpack"


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row as the mapping reads it; ``at`` is ns UTC, ``ordinal`` counts equal rows before it."""

    name: str
    at: int
    id: str = ""
    source: str = ""
    subject: str = ""
    service: str = ""
    environment: str = ""
    correlation: str = ""
    causation: str = ""
    sequence: str = ""
    body: Value = None
    attributes: Attributes = {}
    ordinal: int = 0

    def content(self) -> bytes:
        """16 bytes that differ where rows do, whatever their place."""
        return content_of(*msgspec.structs.astuple(msgspec.structs.replace(self, ordinal=0)))


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one request, and the import they belong to."""

    name: str
    rows: list[Row]


decode = msgspec.msgpack.Decoder(Rows).decode
encode = msgspec.msgpack.Encoder().encode


def read(accepted: Accepted, body: bytes, rules: Rules) -> Decoded:
    """The facts of a request of rows. Raises ``MalformedPayload`` where it is none."""
    try:
        found = decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedPayload(f"these are no rows: {error}", remedy="import the file again") from error
    return each(
        enumerate(found.rows),
        lambda position, row: _fact(accepted, found.name, row, rules, position),
        encode,
    )


def _fact(accepted: Accepted, name: str, row: Row, rules: Rules, position: int) -> Stored:
    info = EventInfo(
        source=row.source or f"import:{name}",
        id=row.id or None,
        type=row.name,
        subject=row.subject or None,
        time=row.at,
        correlation_id=row.correlation or None,
        causation_id=row.causation or None,
        sequence=row.sequence or None,
    )
    attributes, body = clean(row.attributes), clean(row.body)
    subjects, context = entities_of(
        rules, rules.plan(attributes), attributes, message=None, event=info, body=body
    )
    made = Event(
        kind="import",
        name=row.name,
        service=row.service or name,
        environment=row.environment,
        at=row.at,
        body=body,
        event=info,
        entities=subjects,
        context=context,
        attributes=attributes,
    )
    content = row.content()
    return store(
        accepted,
        made,
        identity=("import", name, content, row.ordinal),
        content=content,
        position=position,
        partial=more_leaves(body),
    )
