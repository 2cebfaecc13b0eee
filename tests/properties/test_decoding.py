"""Whatever arrives, decoding ends in facts, refused items, poison, or ``Rejected``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.timeline.ingest.otlp_requests import JSON, PROTOBUF, START, logs, otlp_json, put, traces
from timeline.domain import Stored
from timeline.errors import Rejected
from timeline.ingest.decode import decode, decompress, inspect
from timeline.ingest.entities import Rules
from timeline.ingest.request import Accepted, Inspection
from timeline.search.fact_tokens import fact_tokens
from timeline.store.packing import pack

T = TypeVar("T")
RULES = Rules.default()
TYPES = [
    "application/x-protobuf",
    "application/json",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "text/plain",
    "",
]
SIGNALS = st.sampled_from(["traces", "logs", "events"])
ENCODINGS = st.sampled_from(["", "gzip", "deflate", "zstd", "br"])

texts = st.text(max_size=20)
scalars = st.one_of(
    st.none(),
    texts,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.binary(max_size=20),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
attributes = st.dictionaries(
    st.one_of(
        texts,
        st.sampled_from(
            ["messaging.system", "messaging.destination", "order.id", "throughline.entity.bet", "event.name"]
        ),
    ),
    values,
    max_size=5,
)
uint32, uint64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
times = st.one_of(uint64, st.integers(START, START + 10**12))
span_ids, trace_ids = st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16)
spans = st.fixed_dictionaries(
    {},
    optional={
        "trace_id": st.one_of(trace_ids, st.binary(max_size=20)),
        "span_id": st.one_of(span_ids, st.binary(max_size=20)),
        "parent_span_id": st.one_of(span_ids, st.binary(max_size=10)),
        "name": texts,
        "kind": st.integers(-(2**31), 2**31 - 1) | st.integers(0, 5),
        "start_time_unix_nano": times,
        "end_time_unix_nano": times,
        "trace_state": texts | st.just("ot=th:8"),
        "flags": uint32,
        "attributes": attributes,
        "status": st.fixed_dictionaries({"code": st.integers(0, 3), "message": texts}),
        "dropped_attributes_count": uint32,
        "dropped_events_count": uint32,
        "dropped_links_count": uint32,
    },
)
records = st.fixed_dictionaries(
    {},
    optional={
        "trace_id": st.one_of(trace_ids, st.binary(max_size=20)),
        "span_id": st.one_of(span_ids, st.binary(max_size=20)),
        "event_name": texts,
        "time_unix_nano": times,
        "observed_time_unix_nano": times,
        "severity_text": texts,
        "severity_number": st.integers(0, 24),
        "flags": uint32,
        "body": values,
        "attributes": attributes,
        "dropped_attributes_count": uint32,
    },
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
NAMES = (
    "resourceSpans scopeSpans spans resourceLogs scopeLogs logRecords resource scope attributes key value "
    "traceId spanId stringValue intValue doubleValue arrayValue kvlistValue values bytesValue kind status "
    "links events startTimeUnixNano body specversion id source type data data_base64 time subject"
)
keys = st.sampled_from(NAMES.split(" "))
likely = st.recursive(
    st.one_of(
        json_values, st.just("5b8efff798038103d269b633813fc60c"), st.just("eee19b7ec3c1b174"), st.just("1.0")
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=30,
)


def request(body: bytes, signal: str, headers: dict[str, str], encoding: str = "") -> Accepted:
    return Accepted(
        id="r", signal=signal, content_encoding=encoding, headers=headers, body=body, received=START  # type: ignore[arg-type]
    )  # fmt: skip


def attempt(call: Callable[[], T]) -> T | Rejected:
    """What the call gives, or why it was rejected, which must name a remedy."""
    try:
        return call()
    except Rejected as error:
        found = error
    assert found.message
    assert found.remedy
    return found


def account(accepted: Accepted) -> list[Stored]:
    """Judge and decode; every item must end in exactly one place. Returns the facts."""
    judged = attempt(lambda: inspect(accepted))
    kept = judged.items - len(judged.refused) if isinstance(judged, Inspection) else 0
    decoded = attempt(lambda: decode(msgspec.structs.replace(accepted, items=kept), RULES))
    assert isinstance(judged, Rejected) == isinstance(decoded, Rejected)
    if isinstance(judged, Rejected) or isinstance(decoded, Rejected):
        return []
    places = [item.position for item in judged.refused]
    places += [item.position for item in decoded.poison]
    places += [stored.receipt.position for stored in decoded.facts]
    assert list(range(judged.items)) == sorted(places)
    assert all(item.reason and item.message for item in (*judged.refused, *decoded.poison))
    assert all(item.reason != "decoder_failed" for item in decoded.poison)
    for stored in decoded.facts:
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=Stored)
        assert stored == again
        plain = msgspec.to_builtins(stored, str_keys=True)
        assert json.dumps(plain, allow_nan=False, ensure_ascii=False).encode()
        same_without_what_decoding_left(stored)
    return decoded.facts


def same_without_what_decoding_left(stored: Stored) -> None:
    """Storing makes the same of a fact whether decoding did a part of the work or not."""
    bare = msgspec.structs.replace(stored, ids=b"", tokens="")
    assert pack(bare) == pack(stored)
    alone, along = fact_tokens(bare), fact_tokens(stored)
    assert set(alone.kv.split(" ")) == set(along.kv.split(" "))
    assert (alone.text, alone.partial) == (along.text, along.partial)


@given(
    st.binary(max_size=300),
    SIGNALS,
    st.sampled_from(TYPES),
    ENCODINGS,
    st.dictionaries(texts, texts, max_size=3),
)
@settings(max_examples=400)
def test_any_bytes_end_in_facts_or_rejected(
    body: bytes, signal: str, content_type: str, encoding: str, headers: dict[str, str]
) -> None:
    named = {f"ce-{name}": value for name, value in headers.items()}
    account(request(body, signal, {"content-type": content_type} | named, encoding))


@given(st.lists(spans, max_size=3), attributes, st.data())
@settings(max_examples=200)
def test_mutilated_protobuf_ends_in_facts_or_rejected(
    given_spans: list[dict[str, Any]], resource: dict[str, Any], data: st.DataObject
) -> None:
    body = bytearray(traces(*given_spans, resource=resource).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(len(body) - 1, 0)))
        how = data.draw(st.sampled_from(["flip", "cut", "insert"]))
        if how == "flip" and body:
            body[place] = data.draw(st.integers(0, 255))
        elif how == "cut":
            del body[place : place + data.draw(st.integers(1, 5))]
        else:
            body[place:place] = data.draw(st.binary(max_size=4))
    account(request(bytes(body), "traces", PROTOBUF))


@given(likely, SIGNALS, st.sampled_from(TYPES[1:4]))
@settings(max_examples=400)
def test_any_json_ends_in_facts_or_rejected(tree: Any, signal: str, content_type: str) -> None:
    account(request(json.dumps(tree).encode(), signal, {"content-type": content_type}))


@given(
    st.dictionaries(
        st.sampled_from(["id", "source", "type", "specversion", "time", "subject", "x", "A"]), texts
    ),
    st.binary(max_size=40),
    st.sampled_from(["application/json", "text/plain; charset=utf-7", "", "application/xml"]),
)
def test_any_binary_event_ends_in_a_fact_or_rejected(
    given_headers: dict[str, str], body: bytes, content_type: str
) -> None:
    core = {"ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-specversion": "1.0"}
    named = {f"ce-{name}": value for name, value in given_headers.items()}
    account(request(body, "events", core | named | {"content-type": content_type}))


@given(st.lists(spans, max_size=3), attributes, attributes)
@settings(max_examples=200)
def test_a_trace_request_means_the_same_in_protobuf_and_json(
    given_spans: list[dict[str, Any]], resource: dict[str, Any], more: dict[str, Any]
) -> None:
    message = traces(*given_spans, resource=resource)
    for span in message.resource_spans[0].scope_spans[0].spans:
        put(span.events.add(name="e", time_unix_nano=START).attributes, more)
        put(span.links.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8, flags=1).attributes, more)
    tree = otlp_json(message)
    binary = account(request(message.SerializeToString(), "traces", PROTOBUF))
    written = account(request(json.dumps(tree).encode(), "traces", JSON))
    assert binary == written


@given(st.lists(records, max_size=3), attributes)
@settings(max_examples=200)
def test_a_log_request_means_the_same_in_protobuf_and_json(
    given_records: list[dict[str, Any]], resource: dict[str, Any]
) -> None:
    message = logs(*given_records, resource=resource)
    tree = otlp_json(message)
    binary = account(request(message.SerializeToString(), "logs", PROTOBUF))
    assert binary == account(request(json.dumps(tree).encode(), "logs", JSON))
    assert len(binary) == len(given_records)
    assert all(stored.tokens for stored in binary)  # what was made of the resource is used


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_an_attribute_given_twice_is_found_by_the_value_it_keeps(signal: str) -> None:
    once, again = {"bet.id": "first", "x": 1}, {"bet.id": "last"}
    message: Any = traces({"attributes": once}) if signal == "traces" else logs({"attributes": once})
    groups = message.resource_spans if signal == "traces" else message.resource_logs
    scope = groups[0].scope_spans[0] if signal == "traces" else groups[0].scope_logs[0]
    put((scope.spans if signal == "traces" else scope.log_records)[0].attributes, again)
    (stored,) = account(request(message.SerializeToString(), signal, PROTOBUF))
    assert once | again == stored.fact.attributes
    found = fact_tokens(stored).kv.split(" ")
    assert ("bet.id~last" in found, "bet.id~first" in found) == (True, False)


@given(st.lists(spans, min_size=1, max_size=3), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_identity_ignores_the_order_of_attributes_and_who_received_it(
    given_spans: list[dict[str, Any]], random: Any
) -> None:
    shuffled = []
    for one in given_spans:
        pairs = list(one.get("attributes", {}).items())
        random.shuffle(pairs)
        shuffled.append(one | {"attributes": dict(pairs)})
    first = account(request(traces(*given_spans).SerializeToString(), "traces", PROTOBUF))
    second = account(request(traces(*shuffled).SerializeToString(), "traces", PROTOBUF))
    assert [stored.receipt for stored in first] == [stored.receipt for stored in second]


@given(st.binary(max_size=200), ENCODINGS)
@settings(max_examples=300)
def test_inflating_any_bytes_gives_bytes_or_rejected(body: bytes, encoding: str) -> None:
    found = attempt(lambda: decompress(body, encoding, limit=1_000))
    assert isinstance(found, Rejected) or len(found) <= 1_000


def test_the_json_of_these_tests_is_what_protobuf_itself_reads() -> None:
    message = traces({"attributes": {"a": [1, b"x"]}, "kind": 5})
    tree = otlp_json(message)
    span = tree["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert (span["traceId"], span["kind"]) == ("ab" * 16, 5)
    for name in ("traceId", "spanId"):
        del span[name]
    read = ParseDict(tree, ExportTraceServiceRequest())
    assert read.resource_spans[0].scope_spans[0].spans[0].attributes == (
        message.resource_spans[0].scope_spans[0].spans[0].attributes
    )
