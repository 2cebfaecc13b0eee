"""For the test suites of instrumented services: spans kept in memory, and what to ask of them.

    from tracing.testing import Capture

    def test_a_bet_is_announced():
        capture = Capture()
        producer = Producer(config, provider=capture.provider)
        ...
        send = capture.span("send bets")
        assert capture.attributes("send bets")["messaging.kafka.message.key"] == "8812"
        capture.assert_child("process bets", of="send bets")

``provider`` goes where an integration, ``instrument`` or a tracer takes one; ``as_global()`` makes it
the process's, once. A failed assert says which spans there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tracing.entities import EntityProcessor


class Capture:
    """Every span that ended, in the order in which they did. Safe to use from several threads."""

    def __init__(self) -> None:
        self._memory = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(EntityProcessor())
        self.provider.add_span_processor(SimpleSpanProcessor(self._memory))

    def as_global(self) -> Capture:
        """Make it the process's provider; OpenTelemetry allows that once, so keep one for the session."""
        trace.set_tracer_provider(self.provider)
        return self

    def clear(self) -> None:
        """Forget what ended so far."""
        self._memory.clear()

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """Ended spans in the order they ended; only those of that name where it is given."""
        return [span for span in self._memory.get_finished_spans() if not name or span.name == name]

    def span(self, name: str) -> ReadableSpan:
        """The one span of that name; ``AssertionError`` where there is none, or more than one."""
        found = self.spans(name)
        if len(found) != 1:
            raise AssertionError(f"{len(found)} spans are named {name!r}, not 1; there are: {self._names()}")
        return found[0]

    def attributes(self, name: str) -> Mapping[str, Any]:
        """Attributes of the one span of that name."""
        return dict(self.span(name).attributes or {})

    def assert_child(self, name: str, *, of: str) -> None:
        """The one span of that name has the other one as its parent."""
        child, parent = self.span(name), self.span(of)
        if child.parent is None or child.parent.span_id != parent.context.span_id:
            raise AssertionError(f"{name!r} is not a child of {of!r}")

    def assert_linked(self, name: str, *, to: str) -> None:
        """The one span of that name links every span of the other name."""
        linked = {link.context.span_id for link in self.span(name).links}
        missing = [span for span in self.spans(to) if span.context.span_id not in linked]
        if missing or not self.spans(to):
            raise AssertionError(f"{name!r} does not link {len(missing) or 'any'} of the spans {to!r}")

    def assert_one_trace(self) -> None:
        """All spans belong to one trace: no context was lost on the way."""
        traces = {span.context.trace_id for span in self.spans()}
        if len(traces) > 1:
            raise AssertionError(f"there are {len(traces)} traces, not 1: {self._names()}")

    def _names(self) -> str:
        return ", ".join(span.name for span in self.spans()) or "none"
