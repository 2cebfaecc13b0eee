"""The native decoder agrees to the byte with the way written in Python, whatever a span holds."""

from __future__ import annotations

import math
import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from benchmarks.corpus import accepted as of_the_corpus
from benchmarks.corpus import requests
from tests.timeline.store.both_ways import alike
from timeline.domain import Stored
from timeline.errors import Rejected
from timeline.ingest.decode import decode, inspect
from timeline.ingest.entities import Rules
from timeline.ingest.normalise import SOURCES
from timeline.ingest.request import Accepted
from timeline.search.fact_tokens import EXCEPTION
from timeline.store.elasticsearch import document
from timeline.store.ready import make, plain
from timeline.store.tantivy import schema

NOW = time.time_ns()
RULES = Rules.default().extended(
    attributes={"schlüssel": "ding", "bad.kind": "a:b"},
    message_keys={"orders": "order", "odd": "a:b"},
    subjects={"com.example.order": "order"},
)
KEYS = [
    *SOURCES,
    *RULES.attributes,
    *EXCEPTION,
    "throughline.entity.order",
    "throughline.entity.a:b",
    "throughline.context.tenant",
    "a key with ~ and `marks` \\",
    "k" * 300,
    "",
]
TEXTS = st.one_of(
    st.sampled_from(
        ["", "orders", "orders receive", "kafka", "AmazonSQS", "aws_sqs", "Process", "publish", "run", "com.example.order",
         "orders/123", "0007", "9223372036854775807", "9223372036854775808", "2026-11-27T12:00:00.123456789Z", "not a time",
         "true", "True", "abcdef", "abcde1", "two words", "https://sqs.example.org/1/queue/", 'quo"te\\', "`x~y`", "é" * 130,
         "日本 語", "x" * 256, "x" * 257, "4bf92f3577b34da6a3ce929d0e0e4736", "ord-1", "a" * 1024, "a" * 1025, "tab\there"]
    ),
    st.text(max_size=40),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40),
)  # fmt: skip
NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 1e15, 1e16, 1e17, 9007199254740993.0, 1e22, 1e-4, 1e-5, 5e-324, 1.7e308, 0.1, -2.5]),
    st.floats(),
)  # fmt: skip
WHOLE = st.one_of(
    st.sampled_from([0, 1, -1, 127, 128, -33, -129, 2**31, 2**53 + 1, -(2**63), 2**63 - 1]),
    st.integers(-(2**63), 2**63 - 1),
)
SCALARS = st.one_of(
    TEXTS.map(lambda text: AnyValue(string_value=text)),
    WHOLE.map(lambda number: AnyValue(int_value=number)),
    NUMBERS.map(lambda number: AnyValue(double_value=number)),
    st.booleans().map(lambda flag: AnyValue(bool_value=flag)),
)
VALUES = st.one_of(
    SCALARS,
    SCALARS,
    SCALARS,
    st.binary(max_size=8).map(lambda raw: AnyValue(bytes_value=raw)),
    st.just(AnyValue()),
    st.lists(SCALARS, max_size=3).map(lambda values: AnyValue(array_value=ArrayValue(values=values))),
    st.lists(SCALARS, max_size=2).map(
        lambda values: AnyValue(
            kvlist_value=KeyValueList(values=[KeyValue(key=f"k{n}", value=v) for n, v in enumerate(values)])
        )
    ),
)
PAIRS = st.builds(KeyValue, key=st.one_of(st.sampled_from(KEYS), st.text(max_size=12)), value=VALUES)
PLAIN = st.builds(KeyValue, key=st.sampled_from(KEYS), value=SCALARS)
STATES = st.sampled_from(["", "", "", "vendor=1", "ot=th:8", "ot=th:0", "ot=p:2,x=y"])
LINKS = st.builds(
    Span.Link,
    trace_id=st.sampled_from([b"t" * 16, bytes(16), b"", b"short"]),
    span_id=st.binary(max_size=9),
    trace_state=STATES,
    attributes=st.lists(PAIRS, max_size=4),
    flags=st.sampled_from([0, 1, 2**32 - 1]),
    dropped_attributes_count=st.sampled_from([0, 0, 0, 7]),
)
NOTES = st.builds(
    Span.Event,
    time_unix_nano=st.sampled_from([0, 1, NOW, 2**64 - 1]),
    name=TEXTS,
    attributes=st.lists(PAIRS, max_size=3),
    dropped_attributes_count=st.sampled_from([0, 0, 0, 7]),
)
TIMES = st.sampled_from([NOW, NOW - 5_000_000_001, NOW - 10**15, NOW + 7])
ODD_TIMES = st.one_of(TIMES, st.sampled_from([0, 1, 2**63, 2**64 - 1]))
FINITE = NUMBERS.filter(math.isfinite)
USUAL = st.builds(
    KeyValue,
    key=st.one_of(st.sampled_from([key for key in KEYS if len(key) < 200]), st.text(max_size=12)),
    value=st.one_of(
        TEXTS.map(lambda text: AnyValue(string_value=text)),
        TEXTS.map(lambda text: AnyValue(string_value=text)),
        WHOLE.map(lambda number: AnyValue(int_value=number)),
        FINITE.map(lambda number: AnyValue(double_value=number)),
        st.booleans().map(lambda flag: AnyValue(bool_value=flag)),
    ),
)


def _usual() -> st.SearchStrategy[Span]:
    """Spans of which most go the native way."""
    pairs = st.lists(USUAL, max_size=10, unique_by=lambda pair: pair.key)
    few = st.lists(USUAL, max_size=3, unique_by=lambda pair: pair.key)
    return st.builds(
        Span,
        trace_id=st.sampled_from([bytes(range(16)), b"\xff" * 16]),
        span_id=st.binary(min_size=8, max_size=8).filter(any),
        parent_span_id=st.sampled_from([b"", bytes(8), b"parentid"]),
        trace_state=STATES,
        name=TEXTS,
        kind=st.integers(0, 5),
        start_time_unix_nano=TIMES,
        end_time_unix_nano=TIMES,
        attributes=pairs,
        links=st.lists(
            st.builds(
                Span.Link, trace_id=st.binary(max_size=17), span_id=st.binary(max_size=9), trace_state=STATES,
                attributes=few, flags=st.sampled_from([0, 1, 2**32 - 1]),
            ),
            max_size=2,
        ),
        events=st.lists(
            st.builds(
                Span.Event, time_unix_nano=st.sampled_from([0, 1, NOW, 2**64 - 1]), name=TEXTS, attributes=few
            ),
            max_size=2,
        ),
        status=st.builds(Status, code=st.integers(0, 2), message=TEXTS),
        flags=st.sampled_from([0, 1, 2**32 - 1]),
    )  # fmt: skip


def _spans(pairs: st.SearchStrategy[KeyValue]) -> st.SearchStrategy[Span]:
    return st.builds(
        Span,
        trace_id=st.sampled_from([bytes(range(16)), b"\xff" * 16]),
        span_id=st.binary(min_size=8, max_size=8).filter(any),
        parent_span_id=st.sampled_from([b"", bytes(8), b"parentid"]),
        trace_state=STATES,
        name=TEXTS,
        kind=st.sampled_from([0, 1, 2, 3, 4, 5, 6, -1]),
        start_time_unix_nano=ODD_TIMES,
        end_time_unix_nano=ODD_TIMES,
        attributes=st.lists(pairs, max_size=10, unique_by=lambda pair: pair.key),
        links=st.lists(LINKS, max_size=2),
        events=st.lists(NOTES, max_size=2),
        status=st.builds(Status, code=st.sampled_from([0, 1, 2]), message=TEXTS),
        flags=st.sampled_from([0, 1, 2**32 - 1]),
        dropped_attributes_count=st.sampled_from([0, 0, 0, 3]),
    )


def _body(spans: list[Span], pairs: list[KeyValue], scope: str) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(schema_url="https://example.org/1")
    group.resource.attributes.extend(pairs)
    part = group.scope_spans.add()
    if scope:
        part.scope.name = scope
    part.spans.extend(spans)
    return request.SerializeToString()


def _accepted(body: bytes, items: int = 0, **more: Any) -> Accepted:
    return Accepted(
        id="00000000000000ab",
        signal="traces",
        content_encoding="",
        headers={"content-type": "application/x-protobuf"},
        body=body,
        received=NOW + 1_000,
        items=items,
        **more,
    )


def _agree(accepted: Accepted, rules: Rules = RULES) -> int:
    """Compare both ways; returns how many spans went the native one."""
    assert inspect(accepted) == inspect(accepted, plain=plain)
    return alike(decode(accepted, rules), decode(accepted, rules, make=make))


@settings(max_examples=300, deadline=None)
@given(st.lists(_usual(), min_size=1, max_size=3), st.lists(PLAIN, max_size=3), st.sampled_from(["", "lib"]))
def test_both_ways_agree_on_plain_spans(spans: list[Span], pairs: list[KeyValue], scope: str) -> None:
    _agree(_accepted(_body(spans, pairs, scope), len(spans)))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(_spans(PAIRS), min_size=1, max_size=3), st.lists(PAIRS, max_size=3), st.sampled_from(["", "lib"])
)
def test_both_ways_agree_on_any_spans(spans: list[Span], pairs: list[KeyValue], scope: str) -> None:
    _agree(
        _accepted(_body(spans, pairs, scope), len(spans), environment="prod", workspace="other", sender="key")
    )


@settings(max_examples=300, deadline=None)
@given(_usual(), st.randoms(use_true_random=False))
def test_both_ways_agree_on_damaged_bytes(span: Span, chance: random.Random) -> None:
    body = bytearray(_body([span], [], "lib"))
    for _ in range(chance.randrange(1, 4)):
        body[chance.randrange(len(body))] = chance.randrange(256)
    accepted = _accepted(bytes(body))
    try:
        found = inspect(accepted)
    except Rejected as error:
        with pytest.raises(type(error)):
            inspect(accepted, plain=plain)
        return
    assert found == inspect(accepted, plain=plain)
    if not found.refused:
        _agree(_accepted(bytes(body), found.items))


def test_numbers_half_way_between_the_shortest_they_could_be_written_as_are_written_alike() -> None:
    half = [-5_242_896 / 2**21, -163_841 / 2**16, (2**54 - 3) / 8, 11_258_999_068_426_245 / 16]
    powers = [2.0**exponent for exponent in range(-1074, 1024)]
    beside = [math.nextafter(power, way) for power in powers for way in (0, math.inf)]
    numbers = [number for number in (*half, *powers, *beside) if math.isfinite(number)]
    spans = []
    for first in range(0, len(numbers), 50):
        span = Span(trace_id=b"t" * 16, span_id=b"span%04d" % len(spans))
        span.start_time_unix_nano = span.end_time_unix_nano = NOW
        for place, number in enumerate(numbers[first : first + 50]):
            span.attributes.add(key=f"n{place}", value=AnyValue(double_value=number))
        spans.append(span)
    assert len(spans) == _agree(_accepted(_body(spans, [], "lib"), len(spans)))


def test_a_span_without_words_is_written_alike_after_what_was_remembered_is_forgotten() -> None:
    span = Span(trace_id=b"t" * 16, span_id=b"spanspan")
    span.start_time_unix_nano = span.end_time_unix_nano = NOW
    accepted = _accepted(_body([span], [], ""), 1)
    _agree(accepted)
    for texts in (document._known_texts, schema._known_texts):
        texts.clear()
    assert 1 == _agree(accepted)


def test_traffic_as_it_comes_goes_the_native_way() -> None:
    for number, body in enumerate(requests(2, start=NOW - 10**12)):
        assert 500 == _agree(of_the_corpus(number, body, received=NOW), Rules.default())


def test_what_is_not_plain_goes_the_other_way_alone() -> None:
    listed = AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1)]))
    spans = [
        Span(
            trace_id=b"t" * 16, span_id=b"span%04d" % n, start_time_unix_nano=NOW, end_time_unix_nano=NOW + n
        )
        for n in range(3)
    ]
    spans[1].attributes.add(key="list", value=listed)
    accepted = _accepted(_body(spans, [], ""), 3)
    kinds = [isinstance(one, Stored) for one in decode(accepted, RULES, make=make).facts]
    assert kinds == [False, True, False]
    assert 2 == _agree(accepted)


@pytest.mark.parametrize(("attributes", "links", "notes"), [(64, 0, 0), (0, 64, 0), (0, 0, 64), (0, 32, 32)])
def test_a_span_of_very_many_parts_goes_the_other_way(attributes: int, links: int, notes: int) -> None:
    span = Span(trace_id=b"t" * 16, span_id=b"spanspan", start_time_unix_nano=NOW, end_time_unix_nano=NOW)
    for place in range(attributes):
        span.attributes.add(key=f"key {place}", value=AnyValue(int_value=place))
    for _ in range(links):
        span.links.add(trace_id=b"l" * 16, span_id=b"linklink")
    for place in range(notes):
        span.events.add(name=f"note {place}", time_unix_nano=NOW)
    assert 1 == _agree(_accepted(_body([span], [], ""), 1))
    if attributes:
        span.attributes.add(key="more", value=AnyValue(bool_value=True))
    else:
        span.events.add(name="more", time_unix_nano=NOW)
    assert 0 == _agree(_accepted(_body([span], [], ""), 1))


def test_a_request_that_is_none_of_ours_goes_the_other_way() -> None:
    spans = [Span(trace_id=b"t" * 16, span_id=b"spanspan", start_time_unix_nano=NOW, end_time_unix_nano=NOW)]
    halved = Accepted(
        **{
            **{f: getattr(_accepted(_body(spans, [], ""), 1), f) for f in Accepted.__struct_fields__},
            "id": "00ab.1",
        }
    )
    assert 0 == _agree(halved)
