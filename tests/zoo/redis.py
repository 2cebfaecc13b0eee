"""Redis streams in the zoo: after ``instrument()``, by our helpers alone, and the stock package."""

from __future__ import annotations

from typing import Any

from tests.tracing.integrations import broker_transports as brokers
from tests.tracing.kit import RefusedError, Taken
from tests.tracing.kit.transport import Handler
from tests.zoo.styles import SentOnAsIs, Style, stock, using
from tracing.integrations import redis_streams


class _Stock(SentOnAsIs, brokers.Streams):
    """Without our ``process``."""

    def _handle(self, destination: str, group: str, entry: Any, handler: Handler) -> None:
        fields = dict(entry[1])
        while True:
            try:
                handler(Taken(fields.pop(b"body"), fields, (destination, entry)))
            except RefusedError:
                entry = self.client.xautoclaim(destination, group, "me", 0, entry[0], 1)[1][0]
                fields = dict(entry[1])
            else:
                self.client.xack(destination, group, entry[0])
                return


STYLES = (
    Style("Redis streams", "redis", using(brokers.StreamsExplicit, redis_streams.use, redis_streams.use)),
    Style(
        "Redis streams instrumented",
        "redis",
        using(brokers.Streams, redis_streams.instrument, redis_streams.uninstrument),
    ),
    Style("stock Redis streams", "redis", stock("redis:RedisInstrumentor", _Stock), stock=True),
)
