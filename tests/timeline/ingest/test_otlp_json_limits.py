"""OTLP JSON that lenient writers and hostile ones send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.timeline.ingest.otlp_json_requests import SPAN, TRACE, records, spans, text
from tests.timeline.ingest.otlp_requests import (
    JSON,
    START,
    accepted,
    decoded,
    judged,
    only,
)
from timeline.domain import Event
from timeline.errors import MalformedPayload, TooLarge
from timeline.ingest.decode import decode, inspect
from timeline.ingest.entities import Rules


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ('{"doubleValue": NaN}', "NaN"),
        ('{"doubleValue": Infinity}', "Infinity"),
        ('{"doubleValue": 1e400}', "Infinity"),
        ('{"doubleValue": -1e400}', "-Infinity"),
        (r'{"stringValue": "a\ud800b"}', "a\ufffdb"),
        ('{"stringValue": "first", "stringValue": "last"}', "last"),
        ('{"intValue": ' + "9" * 5_000 + "}", "9" * 5_000),
        ('{"intValue": "1", "unknown": ' + "9" * 5_000 + "}", 1),
    ],
)
def test_what_lenient_writers_send_is_cleaned(written: str, kept: Any) -> None:
    body = json.dumps(spans({"attributes": [{"key": "k", "value": "HERE"}]})).replace('"HERE"', written)
    request = text(body)
    assert inspect(request).refused == ()
    found = decode(request, Rules.default())
    assert [{"k": kept}] == [one.fact.attributes for one in found.facts]
    assert found.poison == []


def test_one_lenient_span_leaves_the_facts_of_its_neighbours_as_they_are() -> None:
    request = spans(
        {"startTimeUnixNano": str(2**64 - 1), "attributes": [{"key": "i", "value": {"intValue": "5"}}]}
    )
    alone = only(request)
    request["resourceSpans"][0]["scopeSpans"][0]["spans"].append(5)
    assert alone == decoded(request).facts[0]


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"stringValue": "deep"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


@pytest.mark.parametrize("depth", [40, 49, 50, 90])
@pytest.mark.parametrize("also", [None, {"name": 5}])
def test_nesting_is_kept_as_far_as_protobuf_carries_it(depth: int, also: dict[str, Any] | None) -> None:
    request = spans(
        {"attributes": [{"key": "k", "value": _nested(depth)}]}, {"name": "after"}, *filter(None, [also])
    )
    found = decoded(request)
    deep = depth > 49
    assert (["after"] if deep else ["n", "after"]) == [one.fact.name for one in found.facts]
    assert (["too_deep"] if deep else []) == [item.reason for item in found.poison]


@pytest.mark.parametrize(("depth", "reasons"), [(48, []), (49, ["too_deep"])])
def test_nesting_in_a_link_is_one_level_less(depth: int, reasons: list[str]) -> None:
    link = {"traceId": TRACE, "spanId": SPAN, "attributes": [{"key": "k", "value": _nested(depth)}]}
    assert reasons == [item.reason for item in decoded(spans({"links": [link]})).poison]


def test_groups_without_members_are_empty_in_salvage_too() -> None:
    request = spans({"name": 5}, {"name": "fine"})
    request["resourceSpans"] += [{"scopeSpans": None}, {"scopeSpans": [{"spans": None}]}]
    assert (judged(request).items, len(decoded(request).facts)) == (2, 1)


def test_maps_and_empty_containers_are_bounded_alike() -> None:
    value: dict[str, Any] = {"kvlistValue": {}}
    for _ in range(40):
        value = {"kvlistValue": {"values": [{"key": "k", "value": value}]}}
    assert ["too_deep"] == [item.reason for item in decoded(records({"body": value}), "logs").poison]
    bottom = _nested(49)
    innermost = bottom
    while "arrayValue" in innermost:
        innermost = innermost["arrayValue"]["values"][0]
    innermost.clear()
    innermost["arrayValue"] = {}
    assert ["too_deep"] == [
        item.reason for item in decoded(spans({"attributes": [{"key": "k", "value": bottom}]})).poison
    ]
    innermost.clear()
    innermost["kvlistValue"] = {}
    assert ["too_deep"] == [
        item.reason for item in decoded(spans({"attributes": [{"key": "k", "value": bottom}]})).poison
    ]


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "[]",
        "5",
        '"x"',
        "null",
        "{",
        '{"resourceSpans": 5}',
        '{"resourceSpans": {}}',
        '{"resourceSpans": [5]}',
        '{"resourceSpans": [{"scopeSpans": 5}]}',
        '{"resourceSpans": [null]}',
        '{"resourceSpans": [{"scopeSpans": [5]}]}',
        '{"resourceSpans": [{"scopeSpans": [{"spans": 5}]}]}',
        '{"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}',
        "\x00",
        "<html>",
    ],
)
def test_what_is_no_request_is_malformed(body: str) -> None:
    with pytest.raises(MalformedPayload) as caught:
        inspect(text(body))
    assert caught.value.remedy
    with pytest.raises(MalformedPayload):
        decode(text(body), Rules.default())


def test_bytes_that_are_not_utf8_are_malformed() -> None:
    with pytest.raises(MalformedPayload):
        inspect(accepted({}, body=b'{"resourceSpans": "\xff"}', headers=JSON))


@pytest.mark.parametrize("depth", [5_000, 100_000])
@pytest.mark.parametrize("where", ["unknown", "attributes"])
def test_absurd_nesting_is_too_large(depth: int, where: str) -> None:
    nest = "[" * depth + "]" * depth
    if where == "attributes":
        nest = '{"arrayValue":{"values":[' * depth + "]}}" * depth
        nest = f'[{{"key":"k","value":{nest}}}]'
    with pytest.raises(TooLarge):
        inspect(text(json.dumps(spans({where: "HERE"})).replace('"HERE"', nest)))


def test_items_and_groups_are_limited() -> None:
    many = {"resourceSpans": [{"scopeSpans": [{"spans": [{}] * 10}]}]}
    for request in (many, {"resourceSpans": [{}] * 10}, {"resourceSpans": [{"scopeSpans": [{}] * 10}]}):
        for broken in (request, request | {"resourceSpans": [*request["resourceSpans"], {"schemaUrl": 5}]}):
            with pytest.raises(TooLarge):
                inspect(accepted(broken), max_items=9)
    with pytest.raises(TooLarge):
        inspect(text('{"resourceSpans": [' + "{}," * 2_000_000 + "{}]}"))


def test_a_schema_url_of_the_wrong_kind_is_left_out_in_salvage() -> None:
    request = spans({}, schemaUrl=5)
    assert only(request).fact.schema_url == ""


@pytest.mark.parametrize("ids", [{"traceId": "zz", "spanId": "zz"}, {"traceId": 5}, {"traceId": ""}])
def test_a_log_record_with_an_invalid_id_is_kept_outside_the_trace(ids: dict[str, Any]) -> None:
    request = records(ids | {"body": {"stringValue": "x"}, "timeUnixNano": str(START), "severityNumber": "9"})
    assert judged(request, "logs").refused == ()
    fact = only(request, "logs").fact
    assert isinstance(fact, Event)
    assert (None, 9, START) == (fact.ref, fact.severity_number, fact.at)
