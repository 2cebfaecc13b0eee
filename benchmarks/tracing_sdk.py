"""What one span of the OpenTelemetry SDK costs, with nothing of ours around it: the floor of ``make bench-tracing``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags

from benchmarks.run import RESULTS, machine

COUNT, ROUNDS = 10_000, 5
MESSAGE = {f"messaging.attribute_{number}": "value" for number in range(10)}  # as many as a Kafka message has


class Nowhere(SpanExporter):
    """The end of it."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Nothing is sent."""
        return SpanExportResult.SUCCESS


def main() -> None:
    """Measure, print, and write one result file."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Nowhere(), max_queue_size=100_000))
    tracer, sender = provider.get_tracer("bench"), SpanContext(1, 1, True, TraceFlags(TraceFlags.SAMPLED))

    def bare() -> None:
        tracer.start_span("process").end()

    def described() -> None:
        tracer.start_span("process", kind=SpanKind.CONSUMER, attributes=MESSAGE).end()

    def linked() -> None:
        links = [Link(sender)]
        tracer.start_span("process", kind=SpanKind.CONSUMER, attributes=MESSAGE, links=links).end()

    found = {f"{make.__name__}_us": cheapest(make) for make in (bare, described, linked)}
    provider.shutdown()
    print("us of CPU per span of the SDK:", *(f"{name} {value}" for name, value in found.items()))
    file = RESULTS / f"tracing-sdk-{datetime.now(UTC):%Y-%m-%d}.json"
    file.write_text(json.dumps({"machine": machine(), "spans": found}, indent=1) + "\n")


def cheapest(make: Callable[[], None]) -> float:
    """Microseconds of CPU of one call, in the cheapest round: noise only ever adds."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(COUNT):
            make()
        rounds.append((time.process_time() - began) / COUNT * 1e6)
    return round(min(rounds), 1)


if __name__ == "__main__":
    main()
