"""Redis streams in the zoo: after ``instrument()``, and by our helpers alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.tracing.integrations import broker_transports as brokers
from tests.tracing.kit.transport import Transport
from tests.zoo.styles import Service, Style
from tracing.integrations import redis_streams


@contextmanager
def _instrumented(service: Service, url: str) -> Iterator[Transport]:
    redis_streams.instrument(service.provider)
    try:
        transport = brokers.Streams(service, url)
        yield transport
        transport.close()
    finally:
        redis_streams.uninstrument()


@contextmanager
def _explicit(service: Service, url: str) -> Iterator[Transport]:
    redis_streams.use(service.provider)
    transport = brokers.StreamsExplicit(service, url)
    yield transport
    transport.close()
    redis_streams.use()


STYLES = (
    Style("Redis streams", "redis", _explicit),
    Style("Redis streams instrumented", "redis", _instrumented),
)
