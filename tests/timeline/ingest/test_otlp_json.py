"""OTLP JSON: its own rules, its traps, and the same facts as protobuf."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.timeline.ingest.otlp_json_requests import SPAN, TRACE, records, spans
from tests.timeline.ingest.otlp_requests import (
    START,
    decoded,
    judged,
    logs,
    only,
    otlp_json,
    put,
    traces,
)
from timeline.domain import Link, Span, SpanRef


def rich() -> Any:
    """A request with every field and every kind of value in every place."""
    values = {
        "s": "x",
        "empty": "",
        "t": True,
        "i": 2**63 - 1,
        "j": -(2**63),
        "d": 1.5,
        "nan": float("nan"),
        "inf": float("-inf"),
        "b": b"\x00\xff",
        "nothing": None,
        "list": ["a", 1, [], None],
        "map": {"k": {"": b""}},
        "order.id": "42",
    }
    request = traces(
        {
            "parent_span_id": b"\x02" * 8,
            "trace_state": "ot=th:8",
            "flags": 0xFFFFFFFF,
            "kind": 4,
            "attributes": values,
            "status": {"code": 2, "message": "boom"},
            "start_time_unix_nano": 2**64 - 1,
            "end_time_unix_nano": 1,
            "dropped_attributes_count": 1,
            "dropped_events_count": 2,
            "dropped_links_count": 2**32 - 1,
        },
        {},
        resource=values | {"service.name": "wallet"},
    )
    group = request.resource_spans[0]
    group.resource.dropped_attributes_count = 3
    group.scope_spans[0].schema_url = "https://example.test"
    put(group.scope_spans[0].scope.attributes, values)
    span = group.scope_spans[0].spans[0]
    put(span.events.add(name="e", time_unix_nano=START, dropped_attributes_count=1).attributes, values)
    link = span.links.add(trace_id=b"\x03" * 16, span_id=b"\x04" * 8, trace_state="a=b", flags=257)
    put(link.attributes, values)
    return request


def rich_logs() -> Any:
    """As ``rich``, for log records."""
    full = {
        "event_name": "e",
        "severity_text": "INFO",
        "severity_number": 9,
        "trace_id": b"\x01" * 16,
        "span_id": b"\x02" * 8,
        "flags": 1,
        "attributes": {"a": [1, b"x"]},
        "dropped_attributes_count": 2,
        "body": {"bet": {"id": 7}, "raw": b"\x00"},
    }
    return logs(full, {"body": "text"}, {}, {"body": ""}, {"trace_id": b"\x01" * 16})


@pytest.mark.parametrize(("make", "signal"), [(rich, "traces"), (rich_logs, "logs")])
def test_both_encodings_of_a_record_give_equal_facts_and_equal_receipts(make: Any, signal: str) -> None:
    request = make()
    binary, written = decoded(request, signal), decoded(otlp_json(request), signal)
    assert binary == written
    assert judged(request, signal) == judged(otlp_json(request), signal)
    assert len(binary.facts) in (2, 5)


def test_ids_are_hex_in_any_case() -> None:
    upper, lower = only(spans({})), only(spans({"traceId": TRACE.lower(), "spanId": SPAN.lower()}))
    assert upper == lower
    assert upper.fact.ref == SpanRef(trace_id=TRACE.lower(), span_id=SPAN.lower())


@pytest.mark.parametrize("written", [1_700_000_000_000_000_001, "1700000000000000001"])
def test_64_bit_integers_come_as_text_or_number(written: Any) -> None:
    attributes = [{"key": "i", "value": {"intValue": written}}]
    fact = only(spans({"startTimeUnixNano": written, "attributes": attributes})).fact
    assert (1_700_000_000_000_000_001, {"i": 1_700_000_000_000_000_001}) == (fact.at, fact.attributes)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"intValue": 5.0}, 5),
        ({"intValue": "5e2"}, 500),
        ({"intValue": "-7"}, -7),
        ({"intValue": " 7 "}, 7),
        ({"intValue": str(2**63)}, str(2**63)),
        ({"intValue": 2**70}, str(2**70)),
        ({"intValue": "9" * 5_000}, "9" * 5_000),
        ({"doubleValue": 3}, 3.0),
        ({"doubleValue": "1.5"}, 1.5),
        ({"doubleValue": "NaN"}, "NaN"),
        ({"doubleValue": "-Infinity"}, "-Infinity"),
        ({"stringValue": ""}, ""),
        ({"boolValue": False}, False),
        ({"intValue": 0}, 0),
        ({"bytesValue": ""}, b""),
        ({"bytesValue": "AP8="}, b"\x00\xff"),
        ({"bytesValue": "AP8"}, b"\x00\xff"),
        ({"bytesValue": "-_-_"}, b"\xfb\xff\xbf"),
        ({"arrayValue": {}}, []),
        ({"arrayValue": {"values": None}}, []),
        ({"arrayValue": {"values": [{}, {"intValue": "1"}]}}, [None, 1]),
        ({"kvlistValue": {}}, {}),
        ({"kvlistValue": {"values": [{"key": "a", "value": {"stringValue": "b"}}]}}, {"a": "b"}),
        ({"stringValue": None, "intValue": "1"}, 1),
        ({"somethingNew": 1}, None),
        ({"stringValueStrindex": 1}, None),
        ({}, None),
        (None, None),
    ],
)
def test_values_are_read_by_the_rules_of_protobuf_json(value: Any, kept: Any) -> None:
    found = only(spans({"attributes": [{"key": "k", "value": value}]})).fact.attributes["k"]
    assert (kept, type(kept)) == (found, type(found))


def test_null_and_unknown_fields_are_absent() -> None:
    names = (
        "parentSpanId traceState flags kind startTimeUnixNano endTimeUnixNano attributes status "
        "droppedAttributesCount events droppedEventsCount links droppedLinksCount"
    )
    nothing = spans(
        dict.fromkeys(names.split(" ")) | {"brandNew": [{}]}, resource=None, schemaUrl=None, brandNew={}
    )
    nothing["resourceSpans"][0]["scopeSpans"][0]["scope"] = None
    nothing["brandNew"] = 1
    assert only(spans({})) == only(nothing)
    sparse = only(spans({"status": {}, "events": [{}], "links": [{}], "attributes": [{}]})).fact
    assert isinstance(sparse, Span)
    assert (sparse.status, sparse.attributes, len(sparse.annotations)) == ("unset", {"": None}, 1)
    assert sparse.links == (Link(ref=SpanRef(trace_id="", span_id="")),)


@pytest.mark.parametrize("resources", [[], None, [{}]])
def test_an_empty_request_is_fine(resources: Any) -> None:
    assert judged({}).items == 0
    assert judged({"resourceSpans": resources}).items == 0
    assert decoded({"resourceLogs": None}, "logs").facts == []


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        (5, 2, ("consumer", "error")),
        ("5", "2", ("consumer", "error")),
        (0, 0, ("unspecified", "unset")),
        ("SPAN_KIND_CONSUMER", "STATUS_CODE_OK", ("consumer", "ok")),
        (17, 17, ("unspecified", "unset")),
    ],
)
def test_enums_are_integers_and_the_old_names_are_understood(
    kind: Any, code: Any, expected: tuple[str, str]
) -> None:
    fact = only(spans({"kind": kind, "status": {"code": code}})).fact
    assert isinstance(fact, Span)
    assert expected == (fact.kind, fact.status)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"traceId": ""}, "bad_trace_id"),
        ({"traceId": "0" * 32}, "bad_trace_id"),
        ({"traceId": "zz" * 16}, "bad_trace_id"),
        ({"traceId": "5B8EFFF79803810 D269B633813FC60C"}, "bad_trace_id"),
        ({"traceId": "W47/95gDgQPSabYzgT/GDA=="}, "bad_trace_id"),
        ({"traceId": 5}, "bad_trace_id"),
        ({"spanId": None}, "bad_span_id"),
        ({"spanId": "abc"}, "bad_span_id"),
        ({"parentSpanId": "abcd"}, "bad_parent_id"),
        ({"parentSpanId": "x"}, "bad_parent_id"),
        ({"kind": "CONSUMER"}, "bad_enum"),
        ({"kind": "9" * 5_000}, "bad_enum"),
        ({"startTimeUnixNano": -1}, "bad_number"),
        ({"startTimeUnixNano": str(2**64)}, "bad_number"),
        ({"startTimeUnixNano": "9" * 5_000}, "bad_number"),
        ({"startTimeUnixNano": 1.5}, "bad_number"),
        ({"flags": 2**32}, "bad_number"),
        ({"startTimeUnixNano": "soon"}, "bad_number"),
        ({"startTimeUnixNano": "inf"}, "bad_number"),
        ({"name": 5}, "undecodable"),
        ({"attributes": {}}, "undecodable"),
        ({"attributes": [{"key": "a", "value": {"stringValue": 5}}]}, "undecodable"),
        ({"attributes": [{"key": "a", "value": "plain"}]}, "undecodable"),
        ({"links": [{"traceId": "zz"}]}, "bad_trace_id"),
        ({"events": [None]}, "undecodable"),
    ],
)
def test_a_bad_span_is_refused_alone_with_its_bytes(fields: dict[str, Any], reason: str) -> None:
    request = spans({"name": "before"}, fields, {"name": "after"})
    found, kept = judged(request), decoded(request)
    assert (3, [(1, reason)]) == (found.items, [(item.position, item.reason) for item in found.refused])
    assert found.refused[0].message
    assert [("before", 0), ("after", 2)] == [(one.fact.name, one.receipt.position) for one in kept.facts]
    assert kept.poison == []
    sent = {"traceId": TRACE, "spanId": SPAN, "name": "n"} | fields
    data = json.loads(found.refused[0].data)
    assert {key: data.get(key) for key in ("name",)} == {"name": sent["name"]}
    written = data.get("traceId")
    assert written == sent["traceId"] or written == (sent["traceId"] or "").lower()


@pytest.mark.parametrize("item", [None, 5, "x", [], True])
def test_an_item_that_is_no_object_is_refused_alone(item: Any) -> None:
    request = spans({})
    request["resourceSpans"][0]["scopeSpans"][0]["spans"].append(item)
    assert [(1, "undecodable")] == [(one.position, one.reason) for one in judged(request).refused]
    assert len(decoded(request).facts) == 1


@pytest.mark.parametrize(
    "value",
    [
        {"bytesValue": "a"},
        {"bytesValue": "é"},
        {"bytesValue": "!!!!"},
        {"intValue": "x"},
        {"intValue": 1.5},
        {"intValue": "inf"},
        {"doubleValue": "x"},
    ],
)
def test_a_value_that_cannot_be_read_is_kept_as_poison(value: dict[str, Any]) -> None:
    request = spans({"name": "before"}, {"attributes": [{"key": "k", "value": value}]}, {"name": "after"})
    assert judged(request).refused == ()
    found = decoded(request)
    assert ["before", "after"] == [one.fact.name for one in found.facts]
    assert [(1, "bad_value")] == [(item.position, item.reason) for item in found.poison]
    sent = json.loads(found.poison[0].data)
    assert (TRACE.lower(), SPAN.lower()) == (sent["traceId"], sent["spanId"])


def test_poison_in_a_log_record_or_its_resource_costs_only_what_it_is_on() -> None:
    bad = [{"key": "k", "value": {"bytesValue": "!"}}]
    request = records({"attributes": bad}, {"body": {"stringValue": "x"}})
    found = decoded(request, "logs")
    assert ([1], [0]) == (
        [one.receipt.position for one in found.facts],
        [one.position for one in found.poison],
    )
    whole = spans({}, {}, resource={"attributes": bad})
    whole["resourceSpans"] += spans({})["resourceSpans"]
    found = decoded(whole)
    assert ([2], [0, 1]) == (
        [one.receipt.position for one in found.facts],
        [one.position for one in found.poison],
    )


@pytest.mark.parametrize("group", [{"resource": {"attributes": 5}}, {"resource": []}])
def test_a_resource_that_does_not_decode_takes_its_own_spans_only(group: dict[str, Any]) -> None:
    request = spans({}, {}, **group)
    request["resourceSpans"] += spans({"name": "fine"})["resourceSpans"]
    assert ["bad_resource"] * 2 == [item.reason for item in judged(request).refused]
    assert ["fine"] == [one.fact.name for one in decoded(request).facts]
