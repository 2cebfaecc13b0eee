"""CloudEvents 1.0.2: three modes, one meaning, and every rule of the type system."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.timeline.ingest.cloudevents_requests import (
    BATCH,
    CORE,
    STRUCTURED,
    TRACEPARENT,
    binary,
    body_of,
    decoded,
    only,
    request,
    structured,
)
from timeline.domain import Entity, Event, EventInfo, Message, SpanRef
from timeline.ingest import cloudevents
from timeline.ingest.entities import Rules


def test_an_event_arrives_with_everything_it_said() -> None:
    sent = CORE | {
        "subject": "orders/42",
        "time": "2026-09-21T14:13:20.000000001Z",
        "recordedtime": "2026-09-21T14:13:21Z",
        "correlationid": "c",
        "causationid": "e-0",
        "sequence": "7",
        "partitionkey": "k",
        "dataschema": "https://example.test/v2",
        "traceparent": TRACEPARENT,
        "tracestate": "ot=th:8",
        "priority": 3,
        "urgent": True,
        "datacontenttype": "application/json",
    }
    stored = only(request(STRUCTURED, sent | {"data": {"payment": {"id": 9}}}))
    assert stored.fact == Event(
        kind="cloudevent",
        name="OrderPlaced",
        service="shop",
        ref=SpanRef(trace_id="ab" * 16, span_id="cd" * 8),
        at=1_790_000_000_000_000_001,
        observed=1_790_000_001_000_000_000,
        body={"payment": {"id": 9}},
        flags=3,
        message=Message(key="k", schema="https://example.test/v2"),
        event=EventInfo(
            source="/shop/orders",
            id="e-1",
            type="OrderPlaced",
            subject="orders/42",
            time=1_790_000_000_000_000_001,
            correlation_id="c",
            causation_id="e-0",
            sequence="7",
        ),
        entities=(Entity(type="order", id="42"), Entity(type="payment", id="9")),
        attributes=sent,
    )
    assert stored.receipt.sampled
    assert stored.receipt.tie >> 42 == 7


def test_all_modes_of_one_event_give_the_same_receipt() -> None:
    given = {"subject": "orders/1", "time": "2026-09-21T14:13:20Z", "urgent": "true", "level": "3"}
    data = {"a": [1, "é", None], "big": 2**80}
    first = only(binary(json.dumps(data).encode(), "Application/JSON; charset=utf-8", **given))
    typed = given | {"urgent": True, "level": 3, "data": data}
    encoded = base64.b64encode(json.dumps(data).encode()).decode()
    others = [
        structured(**typed),
        structured(**typed, datacontenttype="application/json"),
        structured(**given, data_base64=encoded, datacontenttype="application/json"),
        request(BATCH, [CORE | typed]),
    ]
    for other in others:
        stored = only(other)
        assert isinstance(first.fact, Event)
        assert isinstance(stored.fact, Event)
        assert (first.receipt, first.fact.body, first.fact.event) == (
            stored.receipt,
            stored.fact.body,
            stored.fact.event,
        )


def test_source_and_id_are_the_identity_and_other_content_is_another_content() -> None:
    plain = only(structured())
    changed = only(structured(data=1))
    assert (plain.receipt.id, plain.receipt.identity) == (changed.receipt.id, changed.receipt.identity)
    assert plain.receipt.content != changed.receipt.content
    late = only(structured(time="2026-09-21T14:13:20Z"))
    assert late.receipt.identity == plain.receipt.identity
    for other in (structured(id="e-2"), structured(source="/shop")):
        assert only(other).receipt.identity != plain.receipt.identity


def test_an_event_without_time_is_placed_by_when_it_was_recorded_or_not_at_all() -> None:
    assert only(structured()).fact.at is None
    recorded = only(structured(recordedtime="2026-09-21T14:13:20Z")).fact
    assert isinstance(recorded, Event)
    assert (recorded.at, recorded.observed) == (1_790_000_000_000_000_000,) * 2


@pytest.mark.parametrize(
    ("content_type", "body", "kept"),
    [
        ("application/json", b'{"a":1}', {"a": 1}),
        ("application/vnd.shop+json", b"[1]", [1]),
        ("text/json;x=y", b'"text"', "text"),
        ("application/json", b"123456789012345678901234567890", "123456789012345678901234567890"),
        ("application/json", b"[NaN, 1e400]", ["NaN", "1e400"]),
        ("application/json", b'"\\ud800"', "\ufffd"),
        ("application/json", b"{broken", "{broken"),
        ("application/json", b"\xff", b"\xff"),
        ("application/json", b"[" * 5_000, "[" * 5_000),
        ("text/plain", b"{}", "{}"),
        ("text/plain; charset=ISO-8859-1", b"\xe9", "é"),
        ('text/plain; charset="utf-16-le"', b"a\x00", "a"),
        ("text/plain; charset=nonsense", b"a", b"a"),
        ("text/plain", b"\xff", b"\xff"),
        ("application/xml", b"<a/>", "<a/>"),
        ("image/svg+xml", b"<svg/>", "<svg/>"),
        ("application/octet-stream", b"plain", b"plain"),
        ("", b"plain", b"plain"),
        ("application/json", b"", None),
    ],
)
def test_binary_data_is_read_by_its_media_type_and_nothing_is_lost(
    content_type: str, body: bytes, kept: Any
) -> None:
    found = body_of(binary(body, content_type))
    assert (kept, type(kept)) == (found, type(found))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, None),
        ({"data": None}, None),
        ({"data": None, "data_base64": None}, None),
        ({"data": "{}"}, "{}"),
        ({"data": "{}", "datacontenttype": "application/json"}, "{}"),
        ({"data": {"a": 2**64}}, {"a": str(2**64)}),
        ({"data": False}, False),
        ({"data": [], "datacontenttype": "text/xml"}, []),
        ({"data_base64": "AP8="}, b"\x00\xff"),
        ({"data_base64": ""}, b""),
        ({"data_base64": "W10=", "datacontenttype": "application/json"}, []),
        ({"data_base64": "aGk=", "datacontenttype": "text/plain"}, "hi"),
        ({"data": 1, "data_base64": None}, 1),
    ],
)
def test_structured_data_is_kept_as_it_stands(given: dict[str, Any], kept: Any) -> None:
    found = body_of(structured(**given))
    assert (kept, type(kept)) == (found, type(found))


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("plain", "plain"),
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e2%82%ac", "€"),
        ("%2541", "%41"),
        ('"with \\"quotes\\" and %20"', 'with "quotes" and  '),
        ('"', '"'),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("  padded\t", "padded"),
        ("\u00e2\u0082\u00ac", "€"),  # raw UTF-8, as WSGI hands it over
        ("€", "€"),
    ],
)
def test_headers_are_unquoted_and_percent_decoded_once(header: str, value: str) -> None:
    assert only(binary(subject=header)).fact.attributes["subject"] == value


def test_rules_apply_to_extensions_and_to_the_partition_key() -> None:
    rules = Rules.default().extended(attributes={"tableid": "table"}, subjects={"OrderPlaced": "purchase"})
    fact = only(structured(tableid="7", subject="1"), rules).fact
    assert fact.entities == (Entity(type="purchase", id="1"), Entity(type="table", id="7"))


@pytest.mark.parametrize("given", [{"data": {"x": "y"}}, {"data_base64": "AP8="}])
def test_an_event_that_makes_us_fail_is_poison_and_its_neighbours_survive(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
) -> None:
    real = cloudevents.samples

    def failing(state: str) -> bool:
        if state:
            raise KeyError("a defect of ours")
        return real(state)

    monkeypatch.setattr(cloudevents, "samples", failing)
    bad = CORE | {"tracestate": "a=b"} | given
    found = decoded(request(BATCH, [CORE, bad, CORE]))
    assert [0, 2] == [one.receipt.position for one in found.facts]
    assert [(1, "decoder_failed")] == [(item.position, item.reason) for item in found.poison]
    assert json.loads(found.poison[0].data) == bad


@pytest.mark.parametrize(
    ("source", "service"),
    [
        ("/settlement/markets", "settlement"),
        ("https://me@feed.example.org:8443/live/1", "feed.example.org:8443"),
        ("urn:uuid:0190f3c0", "urn:uuid:0190f3c0"),
        ("orders", "orders"),
        ("/", ""),
    ],
)
def test_a_sender_that_names_no_service_is_named_by_its_source(source: str, service: str) -> None:
    assert service == cloudevents.publisher(source)
