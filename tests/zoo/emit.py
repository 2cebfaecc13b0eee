"""Tell the story in one style: ``python -m tests.zoo.emit STYLE BROKER RECEIVER ORDER``.

Prints as JSON how long (ns) that took, and what `tracing` lost.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.zoo import doors
from tests.zoo.story import GROUPS, Stage, tell
from tests.zoo.styles import Service, styles
from tracing import configure, flush, losses


def main() -> None:
    """Tell it, send it, say what to look for."""
    name, broker, receiver, order = sys.argv[1:]
    style = styles()[name]

    def provider(service: str) -> TracerProvider:
        if style.stock:
            made = TracerProvider(resource=Resource.create({"service.name": service}))
            made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{receiver}/v1/traces")))
            return made
        return configure(service, endpoint=receiver, set_global=False)

    @contextmanager
    def service(named: str) -> Iterator[Stage]:
        own = provider(named)
        with style.opened(Service(named, own), broker) as transport:
            if named == "shop":
                for destination in GROUPS:
                    transport.declare(place(destination))
            yield Stage(transport, own, place, order, style.without)
        flush()
        own.shutdown()

    def place(destination: str) -> str:
        return f"{order}.{destination}"

    def enter(shop: Stage, check_out: Callable[[], None]) -> None:
        doors.enter(style.door, provider, shop, check_out, style.stock)

    began = time.time_ns()
    tell(service, enter)
    with suppress(ChildProcessError):
        while True:  # forked workers send their last spans when they end
            os.wait()
    print(json.dumps({"took": time.time_ns() - began, "losses": losses()}))


if __name__ == "__main__":
    main()
