"""What the walk makes of parsed items: values, times, identity, content, poison."""

from __future__ import annotations

from typing import Any

import pytest

from tests.timeline.ingest.otlp_requests import (
    START,
    decoded,
    logs,
    only,
    put,
    traces,
)
from timeline.domain import Entity, Event, Link, Span, SpanRef
from timeline.ingest import facts
from timeline.ingest.entities import Rules


@pytest.mark.parametrize(
    "value",
    [
        *("", "text", "\x00", "😀", "x" * 65_536, b"", b"\x00\xff", True, False, None),
        *(0, -(2**63), 2**63 - 1, 0.0, 1.5),
        *([], {}, ["a", 1, None, [2.5]], {"": "empty key", "a": {"b": [b"x"]}}),
    ],
)
@pytest.mark.parametrize("place", ["resource", "scope", "span", "annotation", "link", "body"])
def test_every_kind_of_value_survives_in_every_place(place: str, value: Any) -> None:
    request: Any
    if place == "body":
        request = logs({"body": value} if value is not None else {})
        fact = only(request, "logs").fact
        assert isinstance(fact, Event)
        assert (value, type(value)) == (fact.body, type(fact.body))
        return
    request = traces({})
    group = request.resource_spans[0]
    scope = group.scope_spans[0]
    span = scope.spans[0]
    pairs = {
        "resource": group.resource.attributes,
        "scope": scope.scope.attributes,
        "span": span.attributes,
        "annotation": span.events.add(name="e").attributes,
        "link": span.links.add(trace_id=b"\x03" * 16, span_id=b"\x04" * 8).attributes,
    }
    put(pairs[place], {"key": value})
    found = only(request).fact
    assert isinstance(found, Span)
    attributes = {
        "resource": found.resource,
        "scope": found.scope.attributes,
        "span": found.attributes,
        "annotation": found.annotations[0].attributes,
        "link": found.links[0].attributes,
    }[place]
    assert (value, type(value)) == (attributes["key"], type(attributes["key"]))


@pytest.mark.parametrize(
    ("sent", "kept"), [(float("nan"), "NaN"), (float("inf"), "Infinity"), (float("-inf"), "-Infinity")]
)
def test_numbers_that_json_cannot_write_are_kept_by_name(sent: float, kept: str) -> None:
    assert only(traces({"attributes": {"x": sent, "y": [sent]}})).fact.attributes == {"x": kept, "y": [kept]}


def test_of_a_repeated_key_the_last_value_is_kept() -> None:
    request = traces({"attributes": {"k": "first"}})
    put(request.resource_spans[0].scope_spans[0].spans[0].attributes, {"k": 2})
    assert only(request).fact.attributes == {"k": 2}


def test_fields_of_profiles_are_absent() -> None:
    request = traces({})
    pair = request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="k", key_strindex=4)
    pair.value.string_value_strindex = 7
    assert only(request).fact.attributes == {"k": None}


@pytest.mark.parametrize(
    ("start", "end", "placed"),
    [(0, 0, False), (2**64 - 1, 2**64 - 1, False), (START, START - 1, True), (1, 2, False), (START, 0, True)],
)
def test_times_that_cannot_be_are_kept(start: int, end: int, placed: bool) -> None:
    stored = only(traces({"start_time_unix_nano": start, "end_time_unix_nano": end}))
    assert (stored.fact.at, stored.fact.until) == (start or None, end or None)
    assert placed == (stored.receipt.id[:8] != "AAAAAAAA")


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 5, 6, 99, -1])
def test_an_unknown_kind_or_status_is_unspecified(kind: int) -> None:
    fact = only(traces({"kind": kind, "status": {"code": kind}})).fact
    names = ["unspecified", "internal", "server", "client", "producer", "consumer"]
    assert isinstance(fact, Span)
    assert fact.kind == (names[kind] if 0 <= kind < 6 else "unspecified")
    assert fact.status == (["unset", "ok", "error"][kind] if 0 <= kind < 3 else "unset")


def test_an_all_zero_parent_is_no_parent() -> None:
    fact = only(traces({"parent_span_id": bytes(8)})).fact
    assert isinstance(fact, Span)
    assert fact.parent is None


def test_a_link_with_unusable_ids_keeps_what_it_says() -> None:
    request = traces({})
    put(request.resource_spans[0].scope_spans[0].spans[0].links.add(trace_id=bytes(16)).attributes, {"a": 1})
    fact = only(request).fact
    assert isinstance(fact, Span)
    assert fact.links == (Link(ref=SpanRef(trace_id="0" * 32, span_id=""), attributes={"a": 1}),)


def test_an_item_that_makes_us_fail_is_poison_and_its_neighbours_survive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = facts.samples

    def failing(state: str) -> bool:
        if state == "a=b":
            raise KeyError("a defect of ours")
        return real(state)

    monkeypatch.setattr(facts, "samples", failing)
    request = traces({"name": "before"}, {"trace_state": "a=b"}, {"name": "after"})
    found = decoded(request)
    assert [one.fact.name for one in found.facts] == ["before", "after"]
    assert [(item.position, item.reason) for item in found.poison] == [(1, "decoder_failed")]
    assert found.poison[0].data == request.resource_spans[0].scope_spans[0].spans[1].SerializeToString()


def test_spans_of_one_request_share_their_resource() -> None:
    one, two = decoded(traces({}, {})).facts
    assert one.fact.resource is two.fact.resource
    assert one.fact.scope is two.fact.scope


def test_scopes_of_one_resource_share_it_and_differ_in_content() -> None:
    request = traces({})
    group = request.resource_spans[0]
    group.scope_spans.add().CopyFrom(group.scope_spans[0])
    group.scope_spans[1].scope.name = "other"
    one, two = decoded(request).facts
    assert one.fact.resource is two.fact.resource
    assert one.receipt.identity == two.receipt.identity
    assert one.receipt.content != two.receipt.content


def test_identity_of_a_span_holds_kind_and_service_and_not_the_time() -> None:
    plain = only(traces({}))
    other_time = only(traces({"start_time_unix_nano": START + 10**9}))
    assert plain.receipt.identity == other_time.receipt.identity
    assert plain.receipt.content != other_time.receipt.content
    server = only(traces({"kind": 2}))
    elsewhere = only(traces({}, resource={"service.name": "odds"}))
    abroad = only(traces({}), workspace="other")
    names = {one.receipt.identity for one in (plain, server, elsewhere, abroad)}
    assert len(names) == 4


def test_content_knows_nothing_of_receiving() -> None:
    first = only(traces({"name": "x"}), received=1, id="a", sender="s")
    same = {"name": "x", "span_id": (1).to_bytes(8, "big"), "start_time_unix_nano": START + 1}
    second = decoded(traces({"name": "other"}, same), received=2).facts[1]
    assert first.receipt.content == second.receipt.content
    assert first.receipt.id == second.receipt.id


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"end_time_unix_nano": START},
        {"parent_span_id": b"\x09" * 8},
        {"trace_state": "a=b"},
        {"flags": 2},
        {"status": {"code": 1}},
        {"status": {"message": "x"}},
        {"attributes": {"a": 1}},
        {"dropped_attributes_count": 1},
        {"events": [{"name": "e"}]},
        {"links": [{"trace_id": b"\x01" * 16}]},
    ],
)
def test_any_other_word_makes_other_content(change: dict[str, Any]) -> None:
    assert only(traces({})).receipt.content != only(traces(change)).receipt.content


def test_another_resource_makes_other_content() -> None:
    richer = only(traces({}, resource={"service.name": "wallet", "x": 1}))
    assert only(traces({})).receipt.content != richer.receipt.content
    assert only(traces({})).receipt.identity == richer.receipt.identity


def test_rules_do_not_change_the_content() -> None:
    request = traces({"attributes": {"slip": "1"}})
    ruled = only(request, rules=Rules.default().extended(attributes={"slip": "bet"}))
    assert ruled.fact.entities == (Entity(type="bet", id="1"),)
    assert only(request).receipt == ruled.receipt


def test_equal_log_records_of_a_request_are_told_apart_and_a_retry_is_recognised() -> None:
    request = logs({"body": "tick"}, {"body": "tick"}, {"body": "tock"})
    first, again = decoded(request, "logs").facts, decoded(request, "logs", id="request-2").facts
    assert len({one.receipt.identity for one in first}) == 3
    assert [one.receipt.id for one in first] == [one.receipt.id for one in again]
    assert first[0].receipt.content == first[1].receipt.content
    assert first[0].receipt.tie < first[1].receipt.tie < first[2].receipt.tie


@pytest.mark.parametrize(
    ("body", "partial"),
    [
        ({str(number): number for number in range(200)}, False),
        ({str(number): number for number in range(201)}, True),
        ({"a": [[1] * 150, {"b": [2] * 51}]}, True),
        ("x" * 10_000, False),
        ([], False),
    ],
)
def test_a_body_with_more_leaves_than_are_indexed_is_marked(body: Any, partial: bool) -> None:
    assert partial == only(logs({"body": body}), "logs").receipt.partial
