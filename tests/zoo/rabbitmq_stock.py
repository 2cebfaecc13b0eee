"""OpenTelemetry's own package for aio-pika, used as its page says. Only ``emit.py`` in its environment runs this."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.tracing.integrations import broker_transports as brokers
from tests.tracing.kit.transport import Taken, Transport
from tests.zoo.styles import Service


class _AioPika(brokers.AioPika):
    def dead_letter(self, taken: Taken, destination: str, error: Exception) -> None:
        self.send(destination, taken.body, headers=taken.headers)


@contextmanager
def aio_pika(service: Service, url: str) -> Iterator[Transport]:
    """By wrapping the client's classes."""
    from opentelemetry.instrumentation.aio_pika import AioPikaInstrumentor

    instrumentor = AioPikaInstrumentor()
    instrumentor.instrument(tracer_provider=service.provider)
    try:
        transport = _AioPika(service, url)
        transport.groups = GROUPS
        yield transport
        transport.close()
    finally:
        instrumentor.uninstrument()


GROUPS = {
    "orders": ("payments", "audit"),
    "paid": ("packing",),
    "parcels": ("mail",),
    "late": ("courier",),
    "items": ("counting",),
    "invoices": ("billing",),
    "graveyard": ("undertaker",),
}
