"""Tell the story in one style: ``python -m tests.zoo.emit STYLE BROKER RECEIVER ORDER``.

Prints the trace ids it made as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.zoo.story import DESTINATIONS, Stage, tell
from tests.zoo.styles import Service, styles
from tracing import configure, flush, losses


class _Noting(SpanProcessor):
    def __init__(self) -> None:
        self.traces: set[str] = set()

    def on_end(self, span: ReadableSpan) -> None:
        self.traces.add(f"{span.context.trace_id:032x}")


def main() -> None:
    """Tell it, send it, say what to look for."""
    name, broker, receiver, order = sys.argv[1:]
    style, noting = styles()[name], _Noting()

    def provider(service: str) -> TracerProvider:
        if not style.stock:
            return configure(service, endpoint=receiver, set_global=False)
        made = TracerProvider(resource=Resource.create({"service.name": service}))
        made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{receiver}/v1/traces")))
        return made

    @contextmanager
    def service(named: str) -> Iterator[Stage]:
        own = provider(named)
        own.add_span_processor(noting)
        with style.opened(Service(named, own), broker) as transport:
            if named == "shop":
                for destination in DESTINATIONS:
                    transport.declare(place(destination))
            yield Stage(transport, own.get_tracer("story"), place, order)
        flush()
        own.shutdown()

    def place(destination: str) -> str:
        return f"{order}.{destination}"

    tell(service)
    print(json.dumps({"traces": sorted(noting.traces), "losses": losses()}))


if __name__ == "__main__":
    main()
