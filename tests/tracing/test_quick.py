"""A span made quickly is the span the SDK makes, and what is not usual is left to the SDK."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState

from tracing import quick
from tracing.entities import EntityProcessor, entity
from tracing.quick import Spans, link

IDS = re.compile(r"0x[0-9a-f]+|\d{4}-\d\d-\d\dT[0-9:.]+Z")
SENDER = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(3), trace_state=TraceState([("a", "b")]))
UNSAMPLED = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(2))
ATTRIBUTES: dict[str, Any] = {"a": "text", "b": 1, "c": True, "d": 0.5}


class Bench:
    def __init__(self, **told: Any) -> None:
        self.memory = InMemorySpanExporter()
        self.provider = TracerProvider(
            resource=Resource({"service.name": "a"}), shutdown_on_exit=False, **told
        )
        self.provider.add_span_processor(EntityProcessor())
        self.provider.add_span_processor(SimpleSpanProcessor(self.memory))
        self.spans = Spans(self.provider)
        self.tracer = self.provider.get_tracer("throughline.tracing", schema_url=quick.SCHEMA_URL)

    def both(self, attributes: dict[str, Any], **told: Any) -> tuple[trace.Span, trace.Span]:
        """The same span made by us and by the SDK's own tracer."""
        start = told.pop("start", None)
        ours = self.spans.start("a", SpanKind.CLIENT, dict(attributes), start=start, **told)
        return ours, self.tracer.start_span(
            "a", kind=SpanKind.CLIENT, attributes=attributes, start_time=start, **told
        )

    def ended(self) -> list[ReadableSpan]:
        return list(self.memory.get_finished_spans())


def within(sender: SpanContext) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(sender), Context())


def made_by_us(span: trace.Span) -> bool:
    return isinstance(span, quick._Quick)


def said(span: ReadableSpan) -> tuple[Any, ...]:
    """All of it but its own ids and times."""
    links = [(one.context, dict(one.attributes or {})) for one in span.links]
    return (
        json.loads(IDS.sub("", span.to_json())),
        span.instrumentation_scope,
        span.context.trace_flags,
        links,
    )


@pytest.mark.parametrize("sender", [SENDER, None], ids=["a child", "a root"])
def test_it_is_the_span_the_sdk_makes(sender: SpanContext | None) -> None:
    bench = Bench()
    told: list[Callable[[trace.Span], None]] = [
        lambda span: span.set_attributes({"a": "other", "new": 2}),
        lambda span: span.set_attributes({"odd": ["x", "y"]}),
        lambda span: span.set_attribute("late", 1),
        lambda span: span.update_name("b"),
        lambda span: span.add_event("told", {"a": "b"}),
        lambda span: span.add_link(SENDER),
        lambda span: span.set_status(trace.StatusCode.ERROR, "lost"),
        lambda span: span.end(),
        lambda span: span.set_attributes({"after": "the end"}),
    ]
    with entity("bet", "8812"):
        spans = bench.both(
            ATTRIBUTES,
            context=within(sender) if sender else Context(),
            links=[link(SENDER), link(SENDER, {"offset": 1})],
        )
        for tell in told:
            for span in spans:
                tell(span)
    assert [True, False] == [made_by_us(span) for span in spans]
    ours, theirs = bench.ended()
    assert said(theirs) == said(ours)
    assert {**ATTRIBUTES, "a": "other", "new": 2, "odd": ("x", "y"), "late": 1} == dict(ours.attributes or {})


def test_it_starts_when_it_is_told_to() -> None:
    bench = Bench()
    for span in bench.both({}, start=5):
        span.end(9)
    assert [(5, 9)] * 2 == [(span.start_time, span.end_time) for span in bench.ended()]


class Fixed(IdGenerator):
    """Ids that are not random, and say so."""

    def generate_span_id(self) -> int:
        return 3

    def generate_trace_id(self) -> int:
        return 4


def test_ids_are_those_of_the_generator_with_its_word_on_their_randomness() -> None:
    ours, theirs = Bench(id_generator=Fixed()).both({}, context=Context())
    assert theirs.get_span_context() == ours.get_span_context()
    assert TraceFlags(TraceFlags.SAMPLED) == ours.get_span_context().trace_flags


@pytest.mark.parametrize(
    "told",
    [
        {"span_limits": SpanLimits(max_span_attributes=2)},
        {"span_limits": SpanLimits(max_attribute_length=3)},
        {"span_limits": SpanLimits(max_links=1)},
        {"span_limits": SpanLimits(max_link_attributes=1)},
        {"sampler": ALWAYS_ON},
        {"sampler": ParentBased(ALWAYS_OFF)},
    ],
    ids=["attributes", "length", "links", "attributes of links", "always on", "off at the root"],
)
def test_a_provider_that_was_told_something_makes_its_spans_itself(told: dict[str, Any]) -> None:
    ours, theirs = Bench(**told).both(ATTRIBUTES, links=[link(SENDER, {"a": "b", "c": "d"}), link(SENDER)])
    assert not made_by_us(ours)
    assert type(theirs) is type(ours)


def test_what_the_sender_did_not_sample_is_left_to_the_sampler() -> None:
    ours, theirs = Bench().both({}, context=within(UNSAMPLED))
    assert not made_by_us(ours)
    assert (False, False) == (ours.is_recording(), theirs.is_recording())


class Word(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value", [Word("a"), ["a", "b"], None, {"a": {"b": 1}}, object()], ids=lambda one: type(one)
)
def test_values_that_are_not_plain_are_left_to_the_sdk(value: object) -> None:
    ours, _ = Bench().both({"a": value})
    assert not made_by_us(ours)


def test_a_link_is_bounded_and_cleaned_as_the_sdk_does() -> None:
    many: dict[str, Any] = {str(number): number for number in range(200)}
    assert 128 == len(link(SENDER, many).attributes or {})
    assert ("a", "b") == (link(SENDER, {"x": ["a", "b"]}).attributes or {})["x"]
    for made in (link(SENDER), link(SENDER, {"a": "b"})):
        with pytest.raises(TypeError):
            made.attributes["a"] = "c"  # type: ignore[index]


def test_another_tracer_makes_its_spans_itself() -> None:
    class Theirs(trace.NoOpTracerProvider):
        pass

    span = Spans(Theirs()).start("a", SpanKind.CLIENT, {}, links=[Link(SENDER)])
    assert not span.is_recording()


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has no provider yet."""
    from opentelemetry.util._once import Once

    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())


def test_a_provider_that_comes_later_is_used_from_then_on(nobody: None) -> None:
    spans = Spans()
    assert not spans.start("a", SpanKind.CLIENT, {}).is_recording()
    trace.set_tracer_provider(Bench().provider)
    assert made_by_us(spans.start("a", SpanKind.CLIENT, {}))


def test_an_sdk_whose_spans_are_built_in_another_way_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(*_: Any, **__: Any) -> Any:
        raise TypeError("another version")

    quick._alike.cache_clear()
    monkeypatch.setattr(quick._Mould, "span", other)
    try:
        ours, _ = Bench().both(ATTRIBUTES)
        assert not made_by_us(ours)
    finally:
        quick._alike.cache_clear()
