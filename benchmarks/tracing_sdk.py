"""What one span costs by the OpenTelemetry SDK and its OTLP encoder, and by ours: the floor of ``make bench-tracing``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags

from benchmarks.run import RESULTS, machine
from tracing.otlp import encode
from tracing.quick import Spans, link

COUNT, ROUNDS = 10_000, 5
MESSAGE: dict[str, str | int] = {
    f"messaging.attribute_{number}": "value" for number in range(10)
}  # as many as a Kafka message has


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

    def quick() -> None:
        ours.start("process", SpanKind.CONSUMER, MESSAGE.copy(), links=[link(sender)]).end()

    ours = Spans(provider)
    found = {f"{make.__name__}_us": cheapest(make) for make in (bare, described, linked, quick)}
    provider.shutdown()
    batch = spans(sender)
    for name, encoder in (("encoded", encode_spans), ("quick_encoded", encode)):
        each = cheapest(
            lambda encoder=encoder: encoder(batch).SerializePartialToString(), COUNT // len(batch)
        )
        found[f"{name}_us"] = round(each / len(batch), 1)
    print("us of CPU per span:", *(f"{name} {value}" for name, value in found.items()))
    file = RESULTS / f"tracing-sdk-{datetime.now(UTC):%Y-%m-%d}.json"
    file.write_text(json.dumps({"machine": machine(), "spans": found}, indent=1) + "\n")


def spans(sender: SpanContext) -> list[ReadableSpan]:
    """A batch to encode: each with its own offset, all else alike."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("bench")
    for offset in range(500):
        told = MESSAGE | {"messaging.kafka.offset": 100_000 + offset}
        tracer.start_span("process", kind=SpanKind.CONSUMER, attributes=told, links=[Link(sender)]).end()
    return list(memory.get_finished_spans())


def cheapest(make: Callable[[], object], count: int = COUNT) -> float:
    """Microseconds of CPU of one call, in the cheapest round: noise only ever adds."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(count):
            make()
        rounds.append((time.process_time() - began) / count * 1e6)
    return round(min(rounds), 1)


if __name__ == "__main__":
    main()
