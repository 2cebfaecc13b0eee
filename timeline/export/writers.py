"""Streams of facts as JSON, NDJSON and CSV: chunks of UTF-8 bytes, made as they are sent.

Every file begins with what was asked, what the answer rests on and whether it is whole, and ends with
a closing record: the count of facts and the SHA-256 of every byte before that record. A file without it
was cut short. Where the source fails on the way, a ``failed`` record says after how many facts and why,
no closing record follows, and the error is raised.

* JSON: ``{"export": {...}, "facts": [...], "end": {"facts": n, "sha256": "..."}}``, one fact a line; the
  bytes before the closing record are those before ``,"end"``. A trace or entity has its rebuilt
  ``timeline`` before the facts.
* NDJSON: one object a line, told apart by its only key: ``export``, ``timeline``, ``fact``, then ``end``
  or ``failed``.
* CSV (RFC 4180): ``COLUMNS``; the column ``record`` tells ``export``, ``fact``, ``end`` and ``failed``
  apart, and what is no fact stands as JSON in ``detail``. Text that a spreadsheet would run as a formula
  starts with ``'``.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from timeline.answers import Coverage
from timeline.domain import Event, EventInfo, Message, Span, Stored, Timeline
from timeline.errors import ThroughlineError
from timeline.export.facts import fact_json
from timeline.export.json import coverage_json, timeline_json, window_json
from timeline.export.values import Json, attributes_json, cell, moment, text, value_json
from timeline.search.query import Window

FORMAT = 1
_BATCH = 200  # facts a chunk
COLUMNS = (
    "record",  # export, fact, end or failed
    "id",
    "fact",  # span or event
    "at",  # UTC, RFC 3339 with nanoseconds
    "until",
    "duration_ns",
    "received_at",
    "service",
    "instance",
    "environment",
    "name",
    "event_type",
    "event_id",
    "event_source",
    "status",  # of a span; the severity of an event
    "destination",
    "partition",
    "offset",
    "key",
    "message_id",
    "group",
    "operation",
    "attempt",
    "entities",  # separated by spaces
    "trace_id",
    "span_id",
    "parent_id",
    "variant",
    "attributes",  # JSON
    "detail",  # body or status message; JSON where it is no text
)


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of itself before its facts.

    ``subject`` is what was asked: query text, ``trace:<id>`` or an entity. ``complete`` is false where a
    limit, a failed shard or a missing parent left something out; ``notes`` say what.
    """

    kind: str  # search, trace, entity
    subject: str
    made_at: int
    coverage: Coverage
    window: Window = Window()
    verdict: str = ""
    complete: bool = True
    notes: tuple[str, ...] = ()
    made_by: str = ""


def header_json(header: Header) -> Json:
    """The header as every format carries it."""
    return {
        "format": FORMAT,
        "kind": header.kind,
        "subject": text(header.subject),
        "window": window_json(header.window),
        "verdict": text(header.verdict),
        "complete": header.complete,
        "notes": [text(note) for note in header.notes],
        "made_at": moment(header.made_at),
        "made_by": text(header.made_by),
        "coverage": coverage_json(header.coverage),
    }


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _reason(error: BaseException) -> str:
    """Our own words where the failure is ours; else only its kind, since its text may hold secrets."""
    return error.message if isinstance(error, ThroughlineError) else type(error).__name__


class _Stream:
    """Counts and hashes what goes out, and puts the right end on it."""

    def __init__(self) -> None:
        self.count = 0
        self._hash = hashlib.sha256()

    def out(self, chunk: bytes) -> bytes:
        """The chunk, added to the hash."""
        self._hash.update(chunk)
        return chunk

    def end(self) -> Json:
        """The closing record."""
        return {"facts": self.count, "sha256": self._hash.hexdigest()}

    def run(
        self,
        facts: Iterable[Stored],
        write: Callable[[Stored, int], bytes],
        failed: Callable[[Json], bytes],
    ) -> Iterator[bytes]:
        """Facts in chunks; on an error what was read so far, then the mark, then the error."""
        source = iter(facts)
        while True:
            batch: list[bytes] = []
            try:
                for stored in islice(source, _BATCH):
                    batch.append(write(stored, self.count))
                    self.count += 1
            except Exception as error:
                if batch:
                    yield self.out(b"".join(batch))
                yield failed({"after": self.count, "reason": _reason(error), "complete": False})
                raise
            if not batch:
                return
            yield self.out(b"".join(batch))


def write_json(header: Header, facts: Iterable[Stored], timeline: Timeline | None = None) -> Iterator[bytes]:
    """One JSON document; still valid JSON, with ``failed`` in place of ``end``, where it broke off."""
    stream = _Stream()
    story = b"" if timeline is None else b',\n"timeline":' + _json(timeline_json(timeline))
    yield stream.out(b'{"export":' + _json(header_json(header)) + story + b',\n"facts":[\n')
    yield from stream.run(
        facts,
        lambda stored, place: (b",\n" if place else b"") + _json(fact_json(stored)),
        lambda record: b'\n],"failed":' + _json(record) + b"}\n",
    )
    yield stream.out(b"\n]")
    yield b',"end":' + _json(stream.end()) + b"}\n"


def write_ndjson(
    header: Header, facts: Iterable[Stored], timeline: Timeline | None = None
) -> Iterator[bytes]:
    """One object a line."""
    stream = _Stream()
    yield stream.out(_json({"export": header_json(header)}) + b"\n")
    if timeline is not None:
        yield stream.out(_json({"timeline": timeline_json(timeline)}) + b"\n")
    yield from stream.run(
        facts,
        lambda stored, _: _json({"fact": fact_json(stored)}) + b"\n",
        lambda record: _json({"failed": record}) + b"\n",
    )
    yield _json({"end": stream.end()}) + b"\n"


def write_csv(header: Header, facts: Iterable[Stored]) -> Iterator[bytes]:
    """``COLUMNS``, then one record each; begins with a byte order mark, so that spreadsheets read UTF-8."""
    stream = _Stream()
    yield stream.out(b"\xef\xbb\xbf" + _record(dict(zip(COLUMNS, COLUMNS, strict=True))))
    yield stream.out(_note("export", header_json(header)))
    yield from stream.run(
        facts, lambda stored, _: _record(csv_row(stored)), lambda record: _note("failed", record)
    )
    yield _note("end", stream.end())


def _note(kind: str, value: Json) -> bytes:
    return _record({"record": kind, "detail": _json(value).decode()})


def _record(row: Json) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([cell(row.get(name)) for name in COLUMNS])
    return line.getvalue().encode()


def csv_row(stored: Stored) -> Json:
    """A fact by column; numbers stay numbers, the rest is text."""
    fact, receipt = stored.fact, stored.receipt
    message, event = fact.message or Message(), fact.event or EventInfo()
    span = fact if isinstance(fact, Span) else None
    body = value_json(fact.body) if isinstance(fact, Event) else fact.status_message
    length = fact.until - fact.at if fact.at is not None and fact.until is not None else None
    return {
        "record": "fact",
        "id": receipt.id,
        "fact": "span" if span else "event",
        "at": moment(fact.at),
        "until": moment(fact.until),
        "duration_ns": length,
        "received_at": moment(receipt.received),
        "service": fact.service,
        "instance": fact.instance,
        "environment": fact.environment,
        "name": fact.name,
        "event_type": event.type,
        "event_id": event.id,
        "event_source": event.source,
        "status": span.status if span else getattr(fact, "severity", ""),
        "destination": message.destination,
        "partition": message.partition,
        "offset": message.offset,
        "key": message.key,
        "message_id": message.id,
        "group": message.group,
        "operation": message.operation,
        "attempt": message.attempt,
        "entities": " ".join(str(one) for one in fact.entities),
        "trace_id": fact.ref.trace_id if fact.ref else None,
        "span_id": fact.ref.span_id if fact.ref else None,
        "parent_id": span.parent if span else None,
        "variant": receipt.variant or None,
        "attributes": _json(attributes_json(fact.attributes)).decode() if fact.attributes else None,
        "detail": body if isinstance(body, str) or body is None else _json(body).decode(),
    }
