"""Every hostile parser as a function of bytes: it may refuse by its own error, and nothing else may come out."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
from google.rpc.status_pb2 import Status
from opentelemetry import baggage, trace

from tests.receiving import Driven
from tests.timeline.store.both_ways import alike
from timeline.broker.tap.reading import Raw, record_of
from timeline.broker.tap.rules import TopicRules
from timeline.domain import Stored
from timeline.errors import BadQuery, Rejected
from timeline.ingest import markers
from timeline.ingest.compress import decompress
from timeline.ingest.decode import decode, inspect
from timeline.ingest.encode import kept_positions, parts
from timeline.ingest.entities import Rules
from timeline.ingest.request import OURS, Accepted, Signal
from timeline.ingest.rows import MEDIA as ROWS
from timeline.ingest.tapped import MEDIA as RECORDS
from timeline.reading.search import understand
from timeline.redaction.requests import redacted, redacted_again
from timeline.redaction.rules import Redaction, Rule
from timeline.search.fact_tokens import fact_tokens
from timeline.search.form import chips
from timeline.store.packing import pack, unpack
from timeline.store.ready import make, plain
from tracing.headers import Headers
from tracing.propagation import extract, inject

NOW: Final = 1_790_000_000 * 10**9
LIMIT: Final = 1 << 20
_RULES: Final = Rules.default()
_TYPES: Final = {"order.id": "order", "bet": "bet"}
_REDACTION: Final = Redaction(
    [
        Rule(number=1, by="attribute", match="*pass*", action="drop"),
        Rule(number=2, by="detector", match="card", action="mask"),
        Rule(number=3, by="detector", match="email", action="hash"),
        Rule(number=4, by="detector", match="bearer", action="mask"),
        Rule(number=5, by="detector", match="url", action="mask"),
    ],
    b"salt",
)
_PATHS: Final = (
    "/v1/traces",
    "/v1/logs",
    "/v1/events",
    "/v1/metrics",
    "/v1/markers",
    "/api/v2/spans",
    "/healthz",
    "/x",
)
_MEDIA: Final = (
    "application/x-protobuf",
    "application/json",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "text/plain",
    "",
    "application/json; charset=utf-16",
)
_ENCODINGS: Final = ("", "gzip", "zstd", "deflate", "identity", "br")
_STATUSES: Final = frozenset((200, 201, 202, 204, 400, 403, 404, 405, 413, 415))


def _request(signal: Signal, headers: dict[str, str], body: bytes, encoding: str = "") -> None:
    """What is accepted becomes facts that can be stored, cut in parts and redacted; all counts agree."""
    accepted = Accepted(
        id="00000000000f0225",
        signal=signal,
        content_encoding=encoding,
        headers=headers,
        body=body,
        received=NOW,
        digest=b"d",
    )
    try:
        if signal not in OURS:
            found = inspect(accepted, max_items=2000, limit=LIMIT)
            assert found == inspect(accepted, max_items=2000, limit=LIMIT, plain=plain)
            kept = found.items - len(found.refused)
            accepted = msgspec.structs.replace(accepted, items=kept)
            if not kept:
                return
        made = decode(accepted, _RULES, max_items=2000, limit=LIMIT)
    except Rejected:
        return
    if signal in OURS:
        accepted = msgspec.structs.replace(accepted, items=len(made.facts) + len(made.poison))
    assert accepted.items == len(made.facts) + len(made.poison)
    for stored in made.facts:
        assert isinstance(stored, Stored)
        fact_tokens(stored)
        assert stored.fact == unpack(*pack(stored)).fact
    if signal == "traces":
        alike(made, decode(accepted, _RULES, max_items=2000, limit=LIMIT, make=make))
    if accepted.items <= 20:
        positions = kept_positions(accepted, max_items=2000, limit=LIMIT)
        alone = list(parts(accepted, [[one] for one in positions], limit=LIMIT))
        assert accepted.items == len(alone)
        again = redacted_again(accepted, _REDACTION) if signal in OURS else redacted(accepted, _REDACTION)
        assert len(made.facts) <= len(decode(again, _RULES).facts) + len(made.poison)


def _otlp(signal: Signal, media: str) -> Callable[[bytes], None]:
    return lambda data: _request(signal, {"content-type": media}, data)


def _encoded(encoding: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        with suppress(Rejected):
            assert len(decompress(data, encoding, limit=LIMIT)) <= LIMIT
        _request("traces", {"content-type": "application/x-protobuf"}, data, encoding)

    return run


def _binary_event(data: bytes) -> None:
    head, _, body = data.partition(b"\n\n")
    headers = {}
    for line in head.decode("latin-1").split("\n")[:40]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    _request("events", headers, body)


def _tap(data: bytes) -> None:
    pieces = data.split(b"\0")
    named = [(one[: len(one) // 2].decode("latin-1"), one[len(one) // 2 :]) for one in pieces[2:20]]
    raw = Raw(
        topic="t",
        partition=0,
        offset=1,
        stamped=NOW,
        key=pieces[0] or None,
        value=b"\0".join(pieces[1:2]),
        headers=named,
    )
    record_of(raw, TopicRules([]), NOW)


def _query(data: bytes) -> None:
    text = (
        data.decode("utf-8", "surrogatepass" if len(data) % 2 else "replace")
        if _decodes(data)
        else data.decode("latin-1")
    )
    try:
        found = understand(text, _TYPES)
    except BadQuery:
        return
    if found.parsed is not None:
        chips(found.parsed)
        found.parsed.readings()


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _headers(data: bytes) -> None:
    pairs: list[tuple[str, object]] = []
    for line in data.split(b"\n")[:60]:
        name, _, value = line.partition(b":")
        pairs.append((name.decode("latin-1"), value if len(line) % 2 else value.decode("latin-1")))
    for carrier in (pairs, dict(pairs)):
        context = extract(carrier)
        trace.get_current_span(context).get_span_context()
        baggage.get_all(context)
        inject(Headers(carrier), context)


def _markers(data: bytes) -> None:
    with suppress(Rejected):
        markers.read(data, NOW)


@cache
def _receiver() -> Driven:
    return Driven(Path(tempfile.mkdtemp(prefix="throughline-fuzz-")), body=LIMIT, items=2000)


def _http(data: bytes) -> None:
    """The first four bytes choose the request, the rest is its body: right statuses, and never HTML."""
    choice = data[:4].ljust(4, b"\0")
    path = _PATHS[choice[0] % len(_PATHS)]
    headers = {}
    if media := _MEDIA[choice[1] % len(_MEDIA)]:
        headers["content-type"] = media
    if encoding := _ENCODINGS[choice[2] % len(_ENCODINGS)]:
        headers["content-encoding"] = encoding
    method = ("POST", "POST", "POST", "GET", "OPTIONS", "PUT")[choice[3] % 6]
    status, answered, body = _receiver().ask(method, path, headers, data[4:])
    assert status in _STATUSES, (status, body)
    said = answered.get("content-type", "")
    assert "html" not in said
    assert body.lstrip()[:1] != b"<"
    if "json" in said:
        json.loads(body)
    elif "protobuf" in said and status >= 400:
        assert Status.FromString(body).message


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "otlp-traces-protobuf": _otlp("traces", "application/x-protobuf"),
    "otlp-logs-protobuf": _otlp("logs", "application/x-protobuf"),
    "otlp-traces-json": _otlp("traces", "application/json"),
    "otlp-logs-json": _otlp("logs", "application/json"),
    "gzip": _encoded("gzip"),
    "zstd": _encoded("zstd"),
    "deflate": _encoded("deflate"),
    "cloudevents-structured": lambda data: _request(
        "events", {"content-type": "application/cloudevents+json"}, data
    ),
    "cloudevents-batch": lambda data: _request(
        "events", {"content-type": "application/cloudevents-batch+json"}, data
    ),
    "cloudevents-binary": _binary_event,
    "zipkin": lambda data: _request("zipkin", {"content-type": "application/json"}, data),
    "rows": lambda data: _request("rows", {"content-type": ROWS}, data),
    "records": lambda data: _request("records", {"content-type": RECORDS}, data),
    "tap": _tap,
    "query": _query,
    "headers": _headers,
    "markers": _markers,
    "http": _http,
}
