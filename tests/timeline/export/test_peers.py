"""Spans as Jaeger's and Zipkin's readers expect them."""

from __future__ import annotations

from typing import Any

import orjson

from tests import builders as b
from timeline.domain import Annotation, Link, Scope, Span
from timeline.export import jaeger, zipkin

SPAN = b.span(
    name="process orders",
    kind="consumer",
    parent=b.span_id(9),
    links=(Link(ref=b.ref(3, 4)),),
    service="shop",
    start=1_700_000_000_123_456_789,
    end=1_700_000_000_123_999_001,
    status="error",
    status_message="out of stock",
    flags=1,
    scope=Scope(name="kafka", version="1"),
    resource={"service.name": "shop", "host.name": "a"},
    attributes={
        "n": 3,
        "big": 2**60,
        "x": 0.5,
        "nan": float("nan"),
        "yes": True,
        "raw": b"\x00\x01",
        "list": ["a", 1],
        "half": "\ud800",
        "server.address": "10.0.0.7",
        "server.port": 9092,
        "peer.service": "broker",
    },
    annotations=(Annotation(at=1_700_000_000_123_500_000, name="retry", attributes={"attempt": 2}),),
)
EVENT = b.event(1, ref=SPAN.ref, at=1_700_000_000_123_600_000, name="Sold", body={"sku": 7})


def _tags(of: list[dict[str, Any]]) -> dict[str, tuple[str, Any]]:
    return {tag["key"]: (tag["type"], tag["value"]) for tag in of}


def test_a_span_as_jaeger_reads_it() -> None:
    trace = jaeger.trace_json([b.stored(SPAN), b.stored(EVENT)])
    (span,) = trace["spans"]
    assert (b.trace_id(), b.span_id(), "process orders", 1) == (
        span["traceID"], span["spanID"], span["operationName"], span["flags"],
    )  # fmt: skip
    assert (1_700_000_000_123_456, 543) == (span["startTime"], span["duration"])
    assert ["CHILD_OF", "FOLLOWS_FROM"] == [reference["refType"] for reference in span["references"]]
    assert b.trace_id(3) == span["references"][1]["traceID"]
    tags = _tags(span["tags"])
    assert ("int64", 3) == tags["n"]
    assert ("int64", str(2**60)) == tags["big"]
    assert ("float64", 0.5) == tags["x"]
    assert ("string", "NaN") == tags["nan"]
    assert ("bool", True) == tags["yes"] == tags["error"]
    assert ("binary", "AAE=") == tags["raw"]
    assert ("string", '["a",1]') == tags["list"]
    assert ("string", "?") == tags["half"]
    assert ("string", "consumer") == tags["span.kind"]
    assert ("string", "ERROR") == tags["otel.status_code"]
    assert ("string", "1700000000123456789") == tags["throughline.start_ns"]
    assert {
        "p1": {"serviceName": "shop", "tags": [{"key": "host.name", "type": "string", "value": "a"}]}
    } == trace["processes"]
    assert [1_700_000_000_123_500, 1_700_000_000_123_600] == [log["timestamp"] for log in span["logs"]]
    assert ("string", "retry") == _tags(span["logs"][0]["fields"])["event"]
    assert ("string", '{"sku":7}') == _tags(span["logs"][1]["fields"])["message"]
    orjson.dumps(trace)


def test_a_span_as_zipkin_reads_it() -> None:
    (span,) = zipkin.trace_json([b.stored(SPAN), b.stored(EVENT)])
    assert (b.trace_id(), b.span_id(), b.span_id(9), "CONSUMER") == (
        span["traceId"], span["id"], span["parentId"], span["kind"],
    )  # fmt: skip
    assert (1_700_000_000_123_456, 543) == (span["timestamp"], span["duration"])
    assert {"serviceName": "shop"} == span["localEndpoint"]
    assert {"serviceName": "broker", "ipv4": "10.0.0.7", "port": 9092} == span["remoteEndpoint"]
    assert ["retry", "Sold"] == [note["value"] for note in span["annotations"]]
    assert all(isinstance(value, str) for value in span["tags"].values())
    assert ("3", "true", "out of stock") == tuple(span["tags"][key] for key in ("n", "yes", "error"))
    orjson.dumps(span)


def test_times_that_were_not_sent_are_not_made_up_in_zipkin_and_said_in_jaeger() -> None:
    bare = b.stored(Span(ref=b.ref(), name="bare"), received=5_000_000)
    (shown,) = zipkin.trace_json([bare])
    assert not {"timestamp", "duration"} & set(shown)
    (span,) = jaeger.trace_json([bare])["spans"]
    assert (5_000, 0) == (span["startTime"], span["duration"])
    assert 2 == len(span["warnings"])


def test_a_variant_is_no_second_span() -> None:
    facts = [b.stored(SPAN), b.stored(SPAN, variant=True)]
    assert 1 == len(zipkin.trace_json(facts)) == len(jaeger.trace_json(facts)["spans"])


def test_a_trace_of_events_alone_is_left_out() -> None:
    assert [] == jaeger.traces_json([[b.stored(EVENT)]]) == zipkin.traces_json([[b.stored(EVENT)]])


CLIENT = b.span(1, 5, kind="client", service="shop", parent=None)
SERVER = b.span(1, 5, kind="server", service="bank", parent=None)
INSIDE = b.span(1, 6, kind="internal", service="bank", parent=b.span_id(5))


def test_halves_under_one_id_stay_shared_in_zipkin() -> None:
    shown = zipkin.trace_json([b.stored(span) for span in (SERVER, CLIENT, INSIDE)])
    assert [True, None, None] == [span.get("shared") for span in shown]
    assert 2 == len({span["id"] for span in shown})


def test_halves_under_one_id_are_told_apart_in_jaeger() -> None:
    spans = jaeger.trace_json([b.stored(span) for span in (SERVER, CLIENT, INSIDE)])["spans"]
    server, client, inside = spans
    assert 3 == len({span["spanID"] for span in spans})
    assert client["spanID"] == b.span_id(5) == server["references"][0]["spanID"]
    assert server["spanID"] == inside["references"][0]["spanID"]
