"""A tracer that fails at the stage it is told to: "provider", "start" or "span"."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, Tracer, TracerProvider


class _BrokenSpan(NonRecordingSpan):
    """Everything but its context raises."""

    def is_recording(self) -> bool:
        return True

    def _raise(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("a broken span")

    set_attribute = set_attributes = set_status = record_exception = update_name = end = _raise


class _BrokenTracer(Tracer):
    def __init__(self, stage: str) -> None:
        self.stage = stage

    def start_span(self, *_: Any, **__: Any) -> Span:
        if self.stage == "start":
            raise RuntimeError("a broken tracer")
        return _BrokenSpan(SpanContext(7, 7, is_remote=False))

    def start_as_current_span(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("a broken tracer")


class Broken(TracerProvider):
    def __init__(self, stage: str) -> None:
        self.stage = stage

    def get_tracer(self, *_: Any, **__: Any) -> Tracer:
        if self.stage == "provider":
            raise RuntimeError("a broken provider")
        return _BrokenTracer(self.stage)
