"""The quick encoder says what the library's own says, byte for byte once decoded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState

from tracing import otlp

PLAIN = st.one_of(
    st.text(max_size=300),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=200),
    st.lists(st.text(max_size=5), max_size=3),
)
ATTRIBUTES = st.dictionaries(st.text(min_size=1, max_size=20), PLAIN, max_size=12)
SENDER = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(3), trace_state=TraceState([("a", "b")]))


class Memory:
    def __init__(self, resource: dict[str, Any] | None = None, **told: Any) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource(resource or {}), shutdown_on_exit=False, **told)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("a", "1", schema_url="https://example.org/1", attributes={"x": "y"})

    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())


def decoded(spans: list[ReadableSpan]) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(otlp.encode(spans).SerializePartialToString())


@given(ATTRIBUTES, ATTRIBUTES, ATTRIBUTES, st.text(max_size=200), st.sampled_from(SpanKind), st.booleans())
def test_it_says_what_the_library_says(
    attributes: dict[str, Any],
    linked: dict[str, Any],
    resource: dict[str, Any],
    name: str,
    kind: SpanKind,
    remote: bool,
) -> None:
    memory = Memory(resource)
    parent = trace.set_span_in_context(NonRecordingSpan(SENDER), Context()) if remote else Context()
    links = [Link(SENDER, linked), Link(SpanContext(1, 2, is_remote=False))]
    span = memory.tracer.start_span(name, parent, kind, attributes, links)
    memory.tracer.start_span("child", trace.set_span_in_context(span)).end()
    if attributes:
        span.set_status(trace.StatusCode.ERROR, name)
    span.end()
    assert encode_spans(memory.spans()) == decoded(memory.spans())


def test_what_was_dropped_is_said() -> None:
    memory = Memory(span_limits=SpanLimits(max_span_attributes=1, max_links=1, max_link_attributes=1))
    two: dict[str, Any] = {"a": 1, "b": 2}
    memory.tracer.start_span("a", attributes=two, links=[Link(SENDER, two), Link(SENDER, two)]).end()
    assert encode_spans(memory.spans()) == decoded(memory.spans())


def test_what_is_not_plain_goes_the_librarys_way_in_the_same_request() -> None:
    memory = Memory()
    memory.tracer.start_span("plain").end()
    failed = memory.tracer.start_span("failed")
    failed.record_exception(ValueError("no account"))
    failed.end()
    memory.tracer.start_span("nested", attributes={"a": {"b": None}}).end()
    found = [span for one in decoded(memory.spans()).resource_spans for span in one.scope_spans[0].spans]
    theirs = [
        span for one in encode_spans(memory.spans()).resource_spans for span in one.scope_spans[0].spans
    ]
    assert ["plain", "failed", "nested"] == [span.name for span in found]
    assert theirs == found


def test_a_resource_that_is_not_plain_goes_the_librarys_way() -> None:
    memory = Memory({"a": {"b": "c"}})
    memory.tracer.start_span("a").end()
    assert encode_spans(memory.spans()) == decoded(memory.spans())


def test_resources_and_scopes_are_told_apart() -> None:
    one, other = Memory({"service.name": "a"}), Memory({"service.name": "b"})
    for memory in (one, other, one):
        memory.tracer.start_span("a").end()
    spans = one.spans() + other.spans()
    assert encode_spans(spans) == decoded(spans)


@pytest.mark.parametrize("key", ["id", "id-{}"], ids=["of one key", "of many keys"])
def test_what_is_kept_has_an_end(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "MOST_KEYS", 10)
    monkeypatch.setattr(otlp, "_kept", {})
    memory = Memory()
    for number in range(otlp.MOST_VALUES + 50):
        told = {key.format(number): str(number), "long": "x" * 1000}
        memory.tracer.start_span("a", attributes=told).end()
    assert encode_spans(memory.spans()) == decoded(memory.spans())
    assert len(otlp._kept) <= 10
    assert all(len(values) <= otlp.MOST_VALUES for values in otlp._kept.values())
    assert not any("long" in place and values for place, values in otlp._kept.items())


def test_values_that_python_takes_for_equal_are_told_apart() -> None:
    memory = Memory()
    for value in (1, True, 1.0, 0, False, "1"):
        memory.tracer.start_span("a", attributes={"same": value}).end()
    assert encode_spans(memory.spans()) == decoded(memory.spans())


def test_an_exporter_that_encodes_in_another_way_keeps_its_own() -> None:
    class Other:
        def export(self, spans: list[ReadableSpan]) -> str:
            return f"{len(spans)} in another way"

    assert "0 in another way" == otlp.quicken(Other)(Other(), [])
    assert otlp.quicken(OTLPSpanExporter) is not OTLPSpanExporter.export
