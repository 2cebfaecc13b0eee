"""A provider that keeps its spans in memory."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tracing.entities import EntityProcessor


class Capture:
    """``provider`` to instrument with; ``spans()`` what ended so far."""

    def __init__(self) -> None:
        self._memory = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(EntityProcessor())
        self.provider.add_span_processor(SimpleSpanProcessor(self._memory))

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """Ended spans in the order they ended; only those of that name where it is given."""
        return [span for span in self._memory.get_finished_spans() if not name or span.name == name]

    def span(self, name: str) -> ReadableSpan:
        """The one span of that name."""
        (found,) = self.spans(name)
        return found
