"""The rules of CloudEvents: which events are refused, which requests are no CloudEvents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.timeline.ingest.cloudevents_requests import (
    BATCH,
    CORE,
    STRUCTURED,
    TRACEPARENT,
    binary,
    decoded,
    only,
    refused,
    request,
    structured,
)
from timeline.domain import EventInfo, SpanRef
from timeline.errors import MalformedPayload, TooLarge, UnsupportedPayload
from timeline.ingest import cloudevents
from timeline.ingest.decode import inspect
from timeline.ingest.request import Inspection


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
