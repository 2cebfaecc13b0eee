"""OTLP protobuf: what becomes a fact, what is refused alone, what is refused whole."""

from __future__ import annotations

import gzip
import time
from typing import Any
from unittest import mock

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.timeline.ingest.otlp_requests import (
    START,
    accepted,
    decoded,
    field,
    fixed64,
    judged,
    logs,
    only,
    put,
    traces,
)
from timeline.domain import Annotation, Dropped, Entity, Event, Link, Message, Scope, Span, SpanRef
from timeline.errors import MalformedPayload, TooLarge
from timeline.ingest import otlp
from timeline.ingest.decode import decode, inspect
from timeline.ingest.entities import Rules

SPAN_ID = (1).to_bytes(8, "big")


def _nested(depth: int) -> Any:
    value: Any = "deep"
    for _ in range(depth):
        value = [value]
    return value


def _raw_span(name: bytes = b"ok", *more: bytes) -> bytes:
    ids = field(1, b"\xab" * 16) + field(2, SPAN_ID)
    return ids + field(5, name) + fixed64(7, START) + b"".join(more)


def _raw_request(*spans: bytes, resource: bytes = b"", scope: bytes = b"") -> bytes:
    inside = field(1, scope) + b"".join(field(2, span) for span in spans) + field(3, b"url")
    return field(1, field(1, resource) + field(2, inside) + field(3, b"url"))


def _full_request() -> ExportTraceServiceRequest:
    request = traces(
        {
            "parent_span_id": b"\x02" * 8,
            "trace_state": "vendor=1,ot=th:8",
            "flags": 0xFFFFFFFF,
            "kind": 5,
            "attributes": {"messaging.system": "kafka", "order.id": 42},
            "status": {"code": 2, "message": "boom"},
            "dropped_attributes_count": 1,
            "dropped_events_count": 2,
            "dropped_links_count": 3,
        },
        resource={"service.name": "wallet", "service.version": "2", "deployment.environment": "prod"},
    )
    span = request.resource_spans[0].scope_spans[0].spans[0]
    put(span.events.add(name="retry", time_unix_nano=START, dropped_attributes_count=4).attributes, {"n": 1})
    put(
        span.links.add(trace_id=b"\x03" * 16, span_id=b"\x04" * 8, trace_state="a=b", flags=1).attributes,
        {"l": 2},
    )
    request.resource_spans[0].scope_spans[0].schema_url = "https://example.test/scope"
    return request


def test_a_span_arrives_with_everything_it_said() -> None:
    stored = only(_full_request(), sender="key-1", workspace="shop")
    assert stored.fact == Span(
        ref=SpanRef(trace_id="ab" * 16, span_id="0000000000000001"),
        name="process bets",
        kind="consumer",
        parent="02" * 8,
        links=(
            Link(
                ref=SpanRef(trace_id="03" * 16, span_id="04" * 8),
                attributes={"l": 2},
                trace_state="a=b",
                flags=1,
            ),
        ),
        service="wallet",
        version="2",
        environment="prod",
        start=START + 1,
        end=START + 5_000_000,
        status="error",
        status_message="boom",
        trace_state="vendor=1,ot=th:8",
        flags=0xFFFFFFFF,
        scope=Scope(name="tracing", version="1.0", schema_url="https://example.test/scope"),
        schema_url="https://opentelemetry.io/schemas/1.44.0",
        dropped=Dropped(attributes=1, annotations=2, links=3),
        message=Message(system="kafka", operation="process"),
        entities=(Entity(type="order", id="42"),),
        attributes={"messaging.system": "kafka", "order.id": 42},
        resource={"service.name": "wallet", "service.version": "2", "deployment.environment": "prod"},
        annotations=(Annotation(at=START, name="retry", attributes={"n": 1}, dropped_attributes=4),),
    )
    receipt = stored.receipt
    assert (
        receipt.workspace,
        receipt.sender,
        receipt.request,
        receipt.position,
    ) == ("shop", "key-1", "request-1", 0)
    assert receipt.sampled
    assert receipt.received == START + 1_000_000_000


def test_a_log_record_arrives_with_everything_it_said() -> None:
    request = logs(
        {
            "event_name": "bet.placed",
            "severity_text": "INFO",
            "severity_number": 9,
            "body": {"bet": {"id": 7}},
            "trace_id": b"\x01" * 16,
            "span_id": b"\x02" * 8,
            "flags": 1,
            "attributes": {"k": "v"},
            "dropped_attributes_count": 2,
        }
    )
    assert only(request, "logs").fact == Event(
        kind="log",
        name="bet.placed",
        ref=SpanRef(trace_id="01" * 16, span_id="02" * 8),
        service="wallet",
        at=START,
        observed=START + 1_000_000,
        severity="INFO",
        severity_number=9,
        body={"bet": {"id": 7}},
        scope=Scope(name="wallet.bets"),
        flags=1,
        dropped=Dropped(attributes=2),
        entities=(Entity(type="bet", id="7"),),
        attributes={"k": "v"},
        resource={"service.name": "wallet"},
    )


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"event_name": "a", "attributes": {"event.name": "b"}}, "a"),
        ({"attributes": {"event.name": "b"}, "body": "text"}, "b"),
        ({"body": "\n first line \nsecond"}, "first line"),
        ({"body": "x" * 300}, "x" * 200),
        ({"body": "  "}, "wallet.bets"),
        ({"body": 5}, "wallet.bets"),
        ({}, "wallet.bets"),
    ],
)
def test_a_log_record_is_named_by_its_event_else_by_its_first_line(record: dict[str, Any], name: str) -> None:
    assert name == only(logs(record), "logs").fact.name


def test_a_log_record_with_no_name_at_all_is_still_a_fact() -> None:
    request = logs({})
    request.resource_logs[0].scope_logs[0].ClearField("scope")
    assert only(request, "logs").fact.name == "log"


@pytest.mark.parametrize(
    ("trace_id", "span_id", "ref"),
    [
        (b"", b"", None),
        (bytes(16), b"\x02" * 8, None),
        (b"\x01" * 15, b"\x02" * 8, None),
        (b"\x01" * 16, b"", SpanRef(trace_id="01" * 16, span_id="")),
        (b"\x01" * 16, bytes(8), SpanRef(trace_id="01" * 16, span_id="")),
        (b"\x01" * 16, b"\x02" * 7, SpanRef(trace_id="01" * 16, span_id="")),
    ],
)
def test_a_log_record_with_an_invalid_id_is_kept_outside_the_trace(
    trace_id: bytes, span_id: bytes, ref: SpanRef | None
) -> None:
    request = logs({"trace_id": trace_id, "span_id": span_id})
    assert (judged(request, "logs").items, judged(request, "logs").refused) == (1, ())
    assert ref == only(request, "logs").fact.ref


def test_a_log_record_without_a_time_is_placed_by_when_it_was_observed() -> None:
    stored = only(logs({"time_unix_nano": 0}), "logs")
    assert isinstance(stored.fact, Event)
    assert (stored.fact.at, stored.fact.observed) == (START + 1_000_000, START + 1_000_000)
    odd = only(logs({"time_unix_nano": 5}), "logs")
    assert odd.fact.at == 5
    assert odd.receipt.id[:8] == stored.receipt.id[:8]
    assert only(logs({"time_unix_nano": 0, "observed_time_unix_nano": 0}), "logs").fact.at is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": bytes(16)}, "bad_trace_id"),
        ({"trace_id": b""}, "bad_trace_id"),
        ({"trace_id": b"\x01" * 17}, "bad_trace_id"),
        ({"span_id": bytes(8)}, "bad_span_id"),
        ({"span_id": b"\x01" * 16}, "bad_span_id"),
        ({"parent_span_id": b"\x01"}, "bad_parent_id"),
    ],
)
def test_a_span_with_a_bad_id_is_refused_alone_with_its_bytes(fields: dict[str, Any], reason: str) -> None:
    request = traces({"name": "before"}, fields, {"name": "after"})
    found = judged(request)
    assert (found.items, len(found.refused)) == (3, 1)
    item = found.refused[0]
    assert (1, reason) == (item.position, item.reason)
    assert item.data == request.resource_spans[0].scope_spans[0].spans[1].SerializeToString()
    kept = decoded(request)
    assert kept.poison == []
    assert [(one.fact.name, one.receipt.position) for one in kept.facts] == [("before", 0), ("after", 2)]


def test_a_span_with_endless_parts_is_refused_alone() -> None:
    request = traces({}, {})
    for _ in range(10_001):
        request.resource_spans[0].scope_spans[0].spans[0].events.add()
    assert [item.reason for item in judged(request).refused] == ["too_many_parts"]
    assert [one.receipt.position for one in decoded(request).facts] == [1]


def test_an_empty_request_is_fine() -> None:
    assert judged(b"").items == 0
    assert decoded(b"").facts == []
    request = traces()
    request.resource_spans.add()
    assert judged(request).items == 0


@pytest.mark.parametrize("depth", [47, 48, 49, 50, 60, 300])
def test_a_span_nested_too_deep_costs_only_itself(depth: int) -> None:
    value = field(1, b"deep")
    for _ in range(depth):
        value = field(5, field(1, value))
    bad = _raw_span(b"deep", field(9, field(1, b"x") + field(2, value)))
    body = _raw_request(_raw_span(b"before"), bad, _raw_span(b"after"))
    found, kept = judged(body), decoded(body)
    deep = depth > 49
    assert (3, ["too_deep"] if deep else []) == (found.items, [item.reason for item in found.refused])
    assert ([0, 2] if deep else [0, 1, 2]) == [one.receipt.position for one in kept.facts]
    assert kept.poison == []
    if deep:
        assert found.refused[0].data == bad
    else:
        assert kept.facts[1].fact.attributes == {"x": _nested(depth)}


def test_a_span_with_text_that_is_not_utf8_costs_only_itself() -> None:
    body = _raw_request(_raw_span(), _raw_span(b"\xff"), _raw_span(b"after"))
    assert [(1, "undecodable", _raw_span(b"\xff"))] == [
        (item.position, item.reason, item.data) for item in judged(body).refused
    ]
    kept = decoded(body)
    assert [(one.fact.name, one.fact.schema_url) for one in kept.facts] == [("ok", "url"), ("after", "url")]


@pytest.mark.parametrize("part", ["resource", "scope"])
def test_a_resource_that_does_not_decode_takes_its_own_spans_only(part: str) -> None:
    bad = field(1, field(1, b"\xff")) if part == "resource" else field(1, b"\xff")
    body = _raw_request(_raw_span(), _raw_span(), **{part: bad}) + _raw_request(_raw_span(b"fine"))
    assert [item.reason for item in judged(body).refused] == ["bad_resource"] * 2
    assert [one.fact.name for one in decoded(body).facts] == ["fine"]


def test_unknown_fields_of_every_wire_type_are_ignored() -> None:
    unknown = b"\xa0\x06\x7f" + b"\xa5\x06abcd" + b"\xa1\x06abcdefgh" + field(100, b"more")
    good = field(1, field(2, unknown + field(2, _raw_span() + unknown))) + unknown
    assert [one.fact.name for one in decoded(good).facts] == ["ok"]
    # one bad span makes the walker see the same bytes
    assert [one.fact.name for one in decoded(good + _raw_request(_raw_span(b"\xff"))).facts] == ["ok"]


def test_a_large_body_is_read_item_by_item_with_equal_result() -> None:
    spans = [{"name": f"n{number}", "attributes": {"x": "y" * 70_000}} for number in range(70)]
    request = traces(*spans, {"attributes": {"x": "y" * (4 * 1024 * 1024)}})
    found = judged(request)
    assert (found.items, [item.reason for item in found.refused]) == (71, ["too_large"])
    small = [only(traces(one)).fact.attributes for one in spans]
    assert small == [one.fact.attributes for one in decoded(request).facts]


@pytest.mark.parametrize(
    "body",
    [
        b"not protobuf at all",
        b"\x0a",
        b"\x0a\x05ab",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x09abc",
        b"\x0b",
        b"\x0c",
        b"\x0e",
        b"\x80",
        traces({}).SerializeToString()[:-1],
        b"{}",
        b"<html>",
    ],
)
def test_bytes_that_are_no_request_are_malformed(body: bytes) -> None:
    for call in (judged, decoded):
        with pytest.raises(MalformedPayload) as caught:
            call(body)
        assert caught.value.remedy


def test_items_are_limited_not_only_bytes() -> None:
    request = traces()
    for _ in range(200_000):
        request.resource_spans[0].scope_spans[0].spans.add()
    body = gzip.compress(request.SerializeToString())
    assert len(body) < 1_500
    started = time.process_time()
    with pytest.raises(TooLarge) as caught:
        judged(body, content_encoding="gzip")
    assert caught.value.remedy
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "body",
    [
        field(1, b"") * 2_000_000,
        field(1, field(2, b"") * 1_000_000),
        field(1, b"") * 3_000_000,
        field(1, field(2, b"") * 3_000_000),
        field(1, field(2, field(2, b"") * 3_000_000)),
        field(1, field(1, b"") * 3_000_000),
        field(1, b"\x20\x00" * 3_000_000),
    ],
    ids=["resources", "scopes", "many resources", "many scopes", "many spans", "many parts", "other fields"],
)
def test_empty_groups_are_limited_too(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises(TooLarge):
        inspect(accepted(body), max_items=5_000)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("size", [12, 30, 60])
def test_too_many_spans_are_counted_before_any_is_made(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a body of one megabyte or more, parsed in one go or item by item."""
    body = field(1, field(2, field(2, bytes(size)) * 100_000))
    made = mock.Mock()
    monkeypatch.setattr(
        otlp, "_SIGNALS", {"traces": otlp._SIGNALS["traces"]._replace(request=made, item=made)}
    )
    with pytest.raises(TooLarge):
        inspect(accepted(body), max_items=99_999)
    assert [] == made.mock_calls


def test_the_limit_of_items_is_met_exactly() -> None:
    request = traces({}, {}, {})
    assert inspect(accepted(request), max_items=3).items == 3
    with pytest.raises(TooLarge):
        inspect(accepted(request), max_items=2)
    with pytest.raises(TooLarge):
        decode(accepted(request), Rules.default(), max_items=2)
