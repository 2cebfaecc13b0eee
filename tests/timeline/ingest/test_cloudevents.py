"""CloudEvents 1.0.2: three modes, one meaning, and every rule of the type system."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from timeline.domain import Entity, Event, EventInfo, Message, SpanRef, Stored
from timeline.errors import MalformedPayload, TooLarge, UnsupportedPayload
from timeline.ingest import cloudevents
from timeline.ingest.decode import decode, inspect
from timeline.ingest.entities import Rules
from timeline.ingest.request import Accepted, Decoded, Inspection

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
CORE = {"specversion": "1.0", "id": "e-1", "source": "/shop/orders", "type": "OrderPlaced"}
TRACEPARENT = f"00-{'ab' * 16}-{'cd' * 8}-03"


def request(content_type: str, body: Any, headers: dict[str, str] | None = None, **fields: Any) -> Accepted:
    """The body (a JSON tree or bytes) as the inbox keeps it."""
    given = {
        "id": "request-1",
        "signal": "events",
        "content_encoding": "",
        "headers": {"content-type": content_type} | (headers or {}),
        "body": body if isinstance(body, bytes) else json.dumps(body).encode(),
        "received": 5,
    }
    return Accepted(**(given | fields))


def structured(**attributes: Any) -> Accepted:
    return request(STRUCTURED, CORE | attributes)


def binary(body: Any = b"", content_type: str = "", **attributes: Any) -> Accepted:
    headers = {f"ce-{name}": value for name, value in (CORE | attributes).items() if value is not None}
    return request(content_type, body, headers)


def decoded(accepted: Accepted, rules: Rules | None = None) -> Decoded:
    return decode(accepted, rules or Rules.default())


def only(accepted: Accepted, rules: Rules | None = None) -> Stored:
    assert inspect(accepted) == Inspection(items=1)
    found = decoded(accepted, rules)
    assert found.poison == []
    return found.facts[0]


def body_of(accepted: Accepted) -> Any:
    fact = only(accepted).fact
    assert isinstance(fact, Event)
    return fact.body


def refused(accepted: Accepted) -> str:
    """The reason for which the one event is refused; it becomes no fact."""
    found = inspect(accepted)
    assert (found.items, len(found.refused)) == (1, 1)
    assert found.refused[0].message
    assert found.refused[0].data
    assert decoded(accepted) == Decoded(facts=[], poison=[])
    return found.refused[0].reason


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


@pytest.mark.parametrize("value", ["%C0%A0", "%FF", "%E2%82", "%ED%A0%80", "\xff"])
def test_a_header_that_is_no_utf8_once_decoded_is_refused(value: str) -> None:
    assert refused(binary(subject=value)) == "bad_utf8"
    assert b"ce-subject" in inspect(binary(b"body", subject=value)).refused[0].data


def test_the_content_type_never_comes_as_a_ce_header() -> None:
    assert refused(binary(datacontenttype="application/json")) == "bad_name"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"id": ""}, "no_id"),
        ({"id": None}, "no_id"),
        ({"id": 5}, "no_id"),
        ({"source": ""}, "no_source"),
        ({"type": None}, "no_type"),
        ({"specversion": None}, "no_specversion"),
        ({"specversion": "0.3"}, "bad_specversion"),
        ({"time": "yesterday"}, "bad_time"),
        ({"time": 5}, "bad_time"),
        ({"recordedtime": "2026-09-21"}, "bad_time"),
        ({"subject": 5}, "bad_attribute"),
        ({"datacontenttype": True}, "bad_attribute"),
        ({"dataschema": 1}, "bad_attribute"),
        ({"Upper": "x"}, "bad_name"),
        ({"under_score": "x"}, "bad_name"),
        ({"é": "x"}, "bad_name"),
        ({"": "x"}, "bad_name"),
        ({"level": 1.5}, "bad_attribute"),
        ({"level": 2**31}, "bad_attribute"),
        ({"level": -(2**31) - 1}, "bad_attribute"),
        ({"level": 2**80}, "bad_attribute_not"),
        ({"extra": {}}, "bad_attribute"),
        ({"extra": []}, "bad_attribute"),
        ({"subject": "a\nb"}, "bad_attribute"),
        ({"subject": "a\x7f"}, "bad_attribute"),
        ({"subject": "a\x85"}, "bad_attribute"),
        ({"subject": "\ufdd0"}, "bad_attribute"),
        ({"subject": "\U0001ffff"}, "bad_attribute"),
        ({"data": 1, "data_base64": "AA=="}, "data_twice"),
        ({"data_base64": "!"}, "bad_base64"),
        ({"data_base64": "é"}, "bad_base64"),
        ({"data_base64": 5}, "bad_base64"),
    ],
)
def test_an_event_that_breaks_a_rule_is_refused(given: dict[str, Any], reason: str) -> None:
    if reason.endswith("_not"):  # beyond 64 bits it is text already, and kept exactly
        assert only(structured(**given)).fact.attributes["level"] == str(2**80)
    else:
        assert refused(structured(**given)) == reason


@pytest.mark.parametrize("name", ["data", "bad-name", "é"])
def test_binary_attribute_names_follow_the_same_rules(name: str) -> None:
    assert refused(binary(**{name: "x"})) == "bad_name"


@pytest.mark.parametrize("level", [2**31 - 1, -(2**31)])
def test_integers_of_32_bits_are_kept_with_their_type(level: int) -> None:
    assert only(structured(level=level)).fact.attributes["level"] == level


def test_names_longer_than_advised_and_empty_optional_attributes_are_accepted() -> None:
    fact = only(structured(**{"x" * 40: "y", "subject": "", "correlationid": ""})).fact
    assert fact.event == EventInfo(source="/shop/orders", id="e-1", type="OrderPlaced")
    assert fact.attributes["x" * 40] == "y"


def test_data_nested_deeper_than_can_be_kept_is_refused_alone() -> None:
    deep = json.loads("[" * 150 + "]" * 150)
    assert refused(structured(data=deep)) == "too_deep"
    found = inspect(request(BATCH, [CORE | {"data": deep}, CORE]))
    assert [(0, "too_deep")] == [(item.position, item.reason) for item in found.refused]


def test_a_bad_event_of_a_batch_is_refused_and_the_good_ones_are_kept() -> None:
    events = [CORE, CORE | {"id": ""}, 5, None, "x", CORE | {"id": "e-2"}]
    batch = request(BATCH, events)
    found = inspect(batch)
    assert found.items == 6
    expected = [(1, "no_id"), (2, "not_an_object"), (3, "not_an_object"), (4, "not_an_object")]
    assert expected == [(item.position, item.reason) for item in found.refused]
    assert json.loads(found.refused[0].data) == CORE | {"id": ""}
    kept = decoded(batch).facts
    assert [(0, "e-1"), (5, "e-2")] == [
        (one.receipt.position, one.fact.event.id) for one in kept if one.fact.event is not None
    ]


def test_an_empty_batch_is_fine() -> None:
    assert inspect(request(BATCH, [])) == Inspection(items=0)


@pytest.mark.parametrize("content_type", [BATCH.upper(), BATCH + "; charset=utf-8"])
def test_a_batch_is_recognised_before_a_single_event(content_type: str) -> None:
    assert inspect(request(content_type, [CORE, CORE])).items == 2


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (BATCH, CORE),
        (STRUCTURED, [CORE]),
        (STRUCTURED, 5),
        (STRUCTURED, b""),
        (BATCH, b"[{]"),
        (BATCH, b"\xff"),
    ],
)
def test_an_envelope_that_cannot_be_read_is_malformed(content_type: str, body: Any) -> None:
    with pytest.raises(MalformedPayload) as caught:
        inspect(request(content_type, body))
    assert caught.value.remedy


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/cloudevents", "application/cloudevents+xml"),
        *("application/cloudevents-batch", "application/cloudevents-batch+avro"),
        *("application/json", "text/plain", ""),
    ],
)
def test_other_formats_are_unsupported(content_type: str) -> None:
    with pytest.raises(UnsupportedPayload) as caught:
        inspect(request(content_type, CORE))
    assert caught.value.remedy


@pytest.mark.parametrize("name", sorted(CORE))
def test_binary_mode_needs_all_four_headers(name: str) -> None:
    with pytest.raises(UnsupportedPayload) as caught:
        inspect(binary(b"{}", "application/json", **{name: None}))
    assert f"ce-{name}" in caught.value.message


def test_events_of_a_batch_are_limited() -> None:
    with pytest.raises(TooLarge):
        inspect(request(BATCH, [CORE] * 4), max_items=3)
    assert inspect(request(BATCH, [CORE] * 3), max_items=3).items == 3
    for nest in (b"[" * 5_000 + b"]" * 5_000, b"[" * 100_000):
        with pytest.raises(TooLarge):
            inspect(request(BATCH, nest))


@pytest.mark.parametrize(
    ("header", "ref", "flags"),
    [
        (TRACEPARENT, True, 3),
        (TRACEPARENT.upper(), False, 0),
        (TRACEPARENT + "-x", False, 0),
        ("cc" + TRACEPARENT[2:], True, 3),
        ("cc" + TRACEPARENT[2:] + "-more", True, 3),
        ("cc" + TRACEPARENT[2:] + "more", False, 0),
        ("ff" + TRACEPARENT[2:], False, 0),
        (f"00-{'0' * 32}-{'cd' * 8}-01", False, 0),
        (f"00-{'ab' * 16}-{'0' * 16}-01", False, 0),
        (TRACEPARENT + "\n", False, 0),
        ("", False, 0),
    ],
)
def test_the_origin_is_read_by_the_rules_of_trace_context(header: str, ref: bool, flags: int) -> None:
    expected = SpanRef(trace_id="ab" * 16, span_id="cd" * 8) if ref else None
    assert cloudevents.origin_of(header) == (expected, flags)


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
