"""Spans of OpenTelemetry's SDK for less than half of what its tracer takes to start one.

Of the 30 us that the SDK spends on a span with a dozen attributes and a link, more than half goes into asking
every value for its type and every link for its limits. ``Spans`` makes the SDK's own span, for the same
processors and exporters, from attributes that are plain already. Whatever is not the default (a sampler, limits, a
parent that is not sampled, the SDK's own metrics, another tracer) is left to the tracer. Whether the SDK at hand is
one whose spans can be made so is found out once: by making one in each way and comparing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from threading import Lock
from time import time_ns
from typing import Any

from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context, get_current
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, Tracer
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace import TracerProvider as SdkProvider
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    TraceFlags,
    TracerProvider,
)
from opentelemetry.util.types import AnyValue

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"
_NAME = "throughline.tracing"
_FEW = 64  # attributes of a span that the limits need not be asked for
_PLAIN = frozenset({str, int, bool, float, bytes})  # values that the SDK takes as they are
# under which the API keeps the current span
SPAN = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
_NOTHING = BoundedAttributes(immutable=True)
# what a span has of its own; the rest is its tracer's
_OWN = {
    *("_name", "_kind", "_parent", "_context", "_resource", "_start_time"),
    *("_lock", "_attributes", "_events", "_links"),
}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_SAMPLED_RANDOM = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)


def with_span(span: Span, context: Context) -> Context:
    """As ``trace.set_span_in_context``."""
    return Context({**context, SPAN: span})


def link(context: SpanContext, attributes: dict[str, Any] | None = None) -> Link:
    """A link for ``start``; ``attributes`` belong to it from now on."""
    if not attributes:
        return Link(context, _NOTHING)
    if len(attributes) > _FEW or not _PLAIN.issuperset(map(type, attributes.values())):
        return Link(context, BoundedAttributes(2 * _FEW, attributes))
    told = BoundedAttributes(2 * _FEW, immutable=True)
    told._dict = attributes
    return Link(context, told)


class Spans:
    """Starts the spans of one client; safe to share between threads."""

    __slots__ = ("_mould", "_quick", "_settled", "_tracer")

    _mould: _Mould

    def __init__(self, provider: TracerProvider | None = None) -> None:
        """``provider`` where the global one is not meant, which may come later."""
        self._tracer = trace.get_tracer(_NAME, tracer_provider=provider, schema_url=SCHEMA_URL)
        self._quick: Any = None
        self._settled = False

    def start(
        self,
        name: str,
        kind: SpanKind,
        attributes: dict[str, Any],
        *,
        links: Sequence[Link] = (),
        context: Context | None = None,
        start: int | None = None,
    ) -> Span:
        """A span as ``Tracer.start_span`` makes it; ``attributes`` belong to it from now on.

        ``links`` are made by ``link``. ``context`` (default: the current one) has its parent; ``start`` is in ns.
        """
        tracer = self._quick if self._settled else self._settle()
        if (
            tracer is not None
            and tracer.sampler is DEFAULT_ON
            and tracer._is_enabled()
            and len(attributes) <= _FEW
            and _PLAIN.issuperset(map(type, attributes.values()))
        ):
            around = (get_current() if context is None else context).get(SPAN)
            parent = around.get_span_context() if isinstance(around, Span) else None
            if parent is None or not parent.is_valid:
                return self._mould.span(name, kind, attributes, links, context, None, start)
            if parent.trace_flags & 1:
                return self._mould.span(name, kind, attributes, links, context, parent, start)
        return self._tracer.start_span(
            name, context=context, kind=kind, attributes=attributes, links=links, start_time=start
        )

    def _settle(self) -> Any:
        """The tracer whose spans can be made here; ``None`` where it is another's, or not there yet."""
        found: Any = self._tracer
        if isinstance(found, trace.ProxyTracer):
            provider = trace.get_tracer_provider()
            if isinstance(provider, trace.ProxyTracerProvider):
                return None
            found = provider.get_tracer(_NAME, schema_url=SCHEMA_URL)
        if type(found) is Tracer and _usual(found) and _alike():
            self._quick, self._mould = found, _Mould(found)
        self._settled = True
        return self._quick


class _Quick(SdkSpan):
    """The SDK's span; what it is told is taken as it is where it is plain.

    A list of events or links that can grow is only made for one that does: each has a deque and a lock, empty or not.
    """

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """As the SDK's own."""
        if _PLAIN.issuperset(map(type, attributes.values())):
            with self._lock:
                known: dict[str, Any] = self._attributes._dict  # type: ignore[union-attr]
                if self._end_time is None and len(known) + len(attributes) <= _FEW:
                    known.update(attributes)
                    return
        super().set_attributes(attributes)

    def _add_event(self, event: Any) -> None:
        with self._lock:
            if type(self._events) is tuple:
                self._events = BoundedList(self._limits.max_events)
        super()._add_event(event)

    def _add_link(self, link: Any) -> None:
        with self._lock:
            if type(self._links) is tuple:
                self._links = BoundedList.from_seq(self._limits.max_links, self._links)
        super()._add_link(link)

    def _readable_span(self) -> ReadableSpan:
        """What processors get: no copy, as a span that has ended takes nothing more."""
        return self


class _Mould:
    """What all spans of a tracer have in common, taken from one that the SDK's own constructor has made."""

    __slots__ = ("_limits", "_shared", "_tracer")

    def __init__(self, tracer: Any) -> None:
        """Raises where spans hold anything that they could not share."""
        told = {
            "sampler": tracer.sampler,
            "span_processor": tracer.span_processor,
            "instrumentation_info": tracer.instrumentation_info,
            "limits": tracer._span_limits,
            "instrumentation_scope": tracer._instrumentation_scope,
        }
        first = _Quick("", SpanContext(1, 1, False), resource=tracer.resource, **told)
        self._shared = {key: value for key, value in vars(first).items() if key not in _OWN}
        given = set(map(id, told.values()))
        for key, value in self._shared.items():
            if not (value is None or type(value) in (bool, Status) or id(value) in given):
                raise TypeError(f"{key} is a span's own")
        self._tracer, self._limits = tracer, tracer._span_limits

    def span(
        self,
        name: str,
        kind: SpanKind,
        attributes: dict[str, Any],
        links: Sequence[Link],
        context: Context | None,
        parent: SpanContext | None,
        start: int | None,
    ) -> Span:
        """A started span; ``parent`` is that of ``context``, where it has one."""
        tracer, limits = self._tracer, self._limits
        ids = tracer.id_generator
        if parent is None:
            random = ids.is_trace_id_random()
            trace_id, state = ids.generate_trace_id(), None
        else:
            random = parent.trace_flags & TraceFlags.RANDOM_TRACE_ID
            trace_id, state = parent.trace_id, parent.trace_state
        flags = _SAMPLED_RANDOM if random else _SAMPLED
        span: Any = object.__new__(_Quick)
        own = span.__dict__
        own.update(self._shared)
        own["_name"], own["_kind"], own["_parent"] = name, kind, parent
        own["_context"] = SpanContext(trace_id, ids.generate_span_id(), False, flags, state)
        own["_resource"] = tracer.resource  # another one after a fork
        own["_lock"] = Lock()
        own["_attributes"] = told = BoundedAttributes(limits.max_span_attributes, immutable=False)
        told._dict = attributes
        own["_events"], own["_links"] = (), tuple(links)
        own["_start_time"] = time_ns() if start is None else start
        span._span_processor.on_start(span, parent_context=context)
        started: Span = span
        return started


def _usual(tracer: Any) -> bool:
    """Whether nothing but the SDK's defaults would have a say in the spans of this tracer."""
    limits: SpanLimits = tracer._span_limits
    metrics = getattr(tracer, "_tracer_metrics", None)
    most = limits.max_span_attributes, limits.max_links, limits.max_link_attributes
    return (
        limits.max_span_attribute_length is None
        and limits.max_attribute_length is None
        and all(one is None or one >= 2 * _FEW for one in most)
        and (metrics is None or type(metrics).__name__.startswith("NoOp"))
    )


@cache
def _alike() -> bool:
    """Whether a span made here is the span that this version of the SDK makes."""
    try:
        return _told(quick=True) == _told(quick=False)
    except Exception:  # noqa: BLE001  an SDK of another make: its tracer knows how
        return False


def _told(*, quick: bool) -> list[Any]:
    """All that an exporter can see of a span, but for its random ids."""
    provider = SdkProvider(DEFAULT_ON, Resource({"service.name": "a"}), shutdown_on_exit=False)
    tracer: Any = provider.get_tracer(_NAME, schema_url=SCHEMA_URL)
    sender = SpanContext(1, 2, True, _SAMPLED_RANDOM)
    context = trace.set_span_in_context(NonRecordingSpan(sender), Context())
    said = {"text": "a", "number": 1, "yes": True}
    links = [link(sender), link(sender, {"a": "b"})]
    if quick:
        span: Any = _Mould(tracer).span("a", SpanKind.CONSUMER, said, links, context, sender, 1)
    else:
        span = tracer.start_span("a", context, SpanKind.CONSUMER, said, links, 1)
    span.set_attributes({"text": "b", "more": 2})
    span.set_attribute("one", 1.5)
    span.add_event("told", {"a": "b"}, timestamp=2)
    span.add_link(sender, {"more": 1})
    span.end(3)
    seen = span._readable_span()
    return [
        *(seen.name, seen.kind, seen.parent, dict(seen.attributes), seen.start_time, seen.end_time),
        *(seen.status.status_code, seen.resource, seen.instrumentation_scope, seen.context.trace_id),
        *(seen.context.trace_flags, seen.context.trace_state, seen.dropped_attributes, seen.dropped_links),
        [(one.context, dict(one.attributes or {})) for one in seen.links],
        [(one.name, one.timestamp, dict(one.attributes)) for one in seen.events],
    ]
