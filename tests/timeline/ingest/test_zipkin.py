"""Zipkin v2 spans, as its reporters send them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from timeline.domain import Span, Stored
from timeline.errors import MalformedPayload, TooLarge
from timeline.ingest.decode import decode, inspect
from timeline.ingest.entities import Rules
from timeline.ingest.request import Accepted
from timeline.rebuild.assemble import timeline

TRACE, SPAN = "5af7183fb1d4cf5f", "6b221d5bc9e6496c"
ONE: dict[str, Any] = {
    "traceId": TRACE,
    "id": SPAN,
    "parentId": "352bff9a74ca9ad2",
    "kind": "CLIENT",
    "name": "get /api",
    "timestamp": 1_700_000_000_123_456,
    "duration": 1431,
    "localEndpoint": {"serviceName": "backend", "ipv4": "192.168.99.1", "port": 3306},
    "remoteEndpoint": {"serviceName": "shop", "ipv4": "172.19.0.2", "port": 58648},
    "annotations": [{"timestamp": 1_700_000_000_123_500, "value": "retry"}],
    "tags": {"http.method": "GET", "http.path": "/api"},
}


def _accepted(body: bytes, items: int = 0) -> Accepted:
    return Accepted(
        id="00" * 8, signal="zipkin", content_encoding="", headers={"content-type": "application/json"}, body=body,
        received=1_700_000_100 * 10**9, items=items,
    )  # fmt: skip


def _facts(*spans: Any) -> list[Stored]:
    body = json.dumps(list(spans)).encode()
    seen = inspect(_accepted(body))
    decoded = decode(_accepted(body, seen.items - len(seen.refused)), Rules.default())
    assert not decoded.poison
    assert seen.items - len(seen.refused) == len(decoded.facts)
    return decoded.facts


def _one(**changes: Any) -> Span:
    tree = {key: value for key, value in {**ONE, **changes}.items() if value is not ...}
    (stored,) = _facts(tree)
    assert isinstance(stored.fact, Span)
    return stored.fact


def test_a_span_keeps_everything_it_said() -> None:
    span = _one()
    assert (TRACE.zfill(32), SPAN, "352bff9a74ca9ad2") == (span.ref.trace_id, span.ref.span_id, span.parent)
    assert ("get /api", "client", "backend") == (span.name, span.kind, span.service)
    assert (1_700_000_000_123_456_000, 1_700_000_000_124_887_000) == (span.start, span.end)
    assert {
        "peer.service": "shop", "network.peer.address": "172.19.0.2", "network.peer.port": 58648,
        "network.local.address": "192.168.99.1", "network.local.port": 3306, "http.method": "GET", "http.path": "/api",
    } == span.attributes  # fmt: skip
    assert [("retry", 1_700_000_000_123_500_000)] == [(note.name, note.at) for note in span.annotations]
    assert "unset" == span.status


def test_a_time_that_was_left_out_is_not_1970() -> None:
    span = _one(timestamp=..., duration=...)
    assert (None, None) == (span.start, span.end)
    assert _one(duration=...).end is None


@pytest.mark.parametrize(
    ("tags", "status", "message"),
    [
        ({"error": "true"}, "error", ""),
        ({"error": ""}, "error", ""),
        ({"error": "timed out"}, "error", "timed out"),
        ({"otel.status_code": "OK"}, "ok", ""),
        ({}, "unset", ""),
    ],
)
def test_a_tag_named_error_is_a_failure(tags: dict[str, str], status: str, message: str) -> None:
    span = _one(tags=tags)
    assert (status, message) == (span.status, span.status_message)


def test_the_servers_half_of_a_shared_span_is_a_span_of_its_own() -> None:
    server = {**ONE, "kind": "SERVER", "shared": True, "localEndpoint": {"serviceName": "shop"}}
    client, half = _facts(ONE, server)
    assert client.fact.ref == half.fact.ref
    assert client.receipt.identity != half.receipt.identity
    inside = {
        **ONE,
        "id": "c1",
        "parentId": SPAN,
        "kind": None,
        "name": "work",
        "localEndpoint": {"serviceName": "shop"},
    }
    story = timeline("trace:x", _facts(ONE, server, inside))
    parents = {(entry.lane, entry.what): entry.parent for entry in story.entries}
    assert (client.receipt.id, half.receipt.id) == (parents["shop", "get /api"], parents["shop", "work"])


@pytest.mark.parametrize(
    ("tag", "system"), [("kafka.topic", "kafka"), ("rabbit.queue", "rabbitmq"), ("jms.topic", "jms")]
)
def test_where_a_message_went_is_known_by_braves_tags(tag: str, system: str) -> None:
    message = _one(kind="PRODUCER", tags={tag: "orders"}).message
    assert message is not None
    assert (system, "orders") == (message.system, message.destination)


def test_old_and_odd_spellings_are_read() -> None:
    span = _one(
        timestamp="1700000000123456", traceId="A", tags={"n": 3, "o": {"a": 1}}, localEndpoint=..., kind=...
    )
    assert (1_700_000_000_123_456_000, "a".zfill(32), "internal", "") == (
        span.start, span.ref.trace_id, span.kind, span.service,
    )  # fmt: skip
    assert ("3", '{"a":1}') == (span.attributes["n"], span.attributes["o"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"traceId": "zz"}, "bad_trace_id"),
        ({"traceId": "0"}, "bad_trace_id"),
        ({"traceId": None}, "bad_trace_id"),
        ({"traceId": "a" * 33}, "bad_trace_id"),
        ({"id": " 1"}, "bad_span_id"),
        ({"id": "0000"}, "bad_span_id"),
        ({"parentId": "xyz"}, "bad_parent_id"),
        ({"timestamp": -1}, "bad_number"),
        ({"timestamp": "soon"}, "bad_number"),
        ({"duration": 1e30}, "bad_number"),
        ({"tags": []}, "undecodable"),
        ({"annotations": {}}, "undecodable"),
        ({"localEndpoint": "x"}, "undecodable"),
    ],
)
def test_a_bad_span_is_refused_and_its_neighbours_are_kept(changes: dict[str, Any], reason: str) -> None:
    other = {**ONE, "id": "1", "localEndpoint": {"serviceName": "other"}}
    body = json.dumps([{**ONE, **changes}, ONE, other]).encode()
    seen = inspect(_accepted(body))
    assert [(0, reason)] == [(bad.position, bad.reason) for bad in seen.refused]
    assert 3 == seen.items
    assert 2 == len(decode(_accepted(body, 2), Rules.default()).facts)


def test_what_is_no_object_is_refused_too() -> None:
    seen = inspect(_accepted(b'[1, "x", null]'))
    assert [0, 1, 2] == [bad.position for bad in seen.refused]


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[", b"\xff"])
def test_a_body_that_is_no_list_cannot_be_read(body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        inspect(_accepted(body))


def test_too_many_spans_are_refused_as_a_whole() -> None:
    with pytest.raises(TooLarge):
        inspect(_accepted(json.dumps([ONE] * 3).encode()), max_items=2)
    assert 0 == inspect(_accepted(b"[]")).items
