"""What is known of entries of Redis streams: their context, who received them, and how often."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from opentelemetry.trace import SpanContext, TracerProvider

from tracing import dead_letters, propagation, semconv
from tracing.guard import guarded
from tracing.headers import Headers, text
from tracing.options import Options
from tracing.spans import Delivery, Messaging

CONTEXT = (propagation.TRACEPARENT, propagation.TRACESTATE, propagation.BAGGAGE, propagation.ELASTIC)
_CARRIED = {*CONTEXT, "content-type", dead_letters.REASON, dead_letters.SOURCE}
_REMEMBERED = 10_000
_ROOM = 16 * 1024 * 1024  # bytes of context fields of all that is remembered
_LONGEST = 16_384  # a longer value is kept nowhere
Place = tuple[str, str, str]  # stream, group, entry id

given: list[Any] = [None, None]  # provider and options of instrument()
_pools: WeakKeyDictionary[Any, Messaging] = WeakKeyDictionary()


def use(provider: TracerProvider | None, options: Options | None) -> None:
    """Make the spans of every client with these from now on."""
    given[:] = provider, options
    _pools.clear()


def spans(client: Any) -> Messaging:
    """The spans of one connection pool, which its clients and pipelines share."""
    pool = getattr(client, "connection_pool", client)
    found = _pools.get(pool)
    if found is None:
        server: dict[str, str | int] = {}
        with guarded("redis address"):
            asked = getattr(pool, "connection_kwargs", {})  # a cluster has many pools
            if host := asked.get("host") or asked.get("path"):
                server = {"server_address": str(host), "server_port": int(asked.get("port") or 0) or 6379}
        provider, options = given
        found = _pools[pool] = Messaging("redis", provider=provider, options=options, **server)
    return found


def headers_of(fields: Mapping[Any, Any]) -> Headers:
    """The fields that are no part of the application's data: context, event and dead letter."""
    return Headers(
        [
            (name, value)
            for key, value in fields.items()
            if (name := text(key).lower()) in _CARRIED or name.startswith("ce_")
        ]
    )


def size(fields: Mapping[Any, Any]) -> int:
    """Bytes of the application's own names and values, as text where they are numbers."""
    return sum(
        len(text(key)) + len(value if isinstance(value, bytes | str) else str(value))
        for key, value in fields.items()
        if text(key).lower() not in CONTEXT
    )


class Known(NamedTuple):
    """What was seen of an entry when it was handed over."""

    delivery: Delivery
    received: SpanContext | None


class Entries:
    """Entries that were handed over and not settled yet; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Place, Known] = OrderedDict()
        self._bytes = 0

    def remember(self, deliveries: Iterable[Delivery], received: SpanContext | None) -> None:
        """Keep them in mind; the oldest go where there are too many."""
        with self._lock:
            for one in deliveries:
                place = one.destination, one.group, entry_id(one)
                self._forget(place)
                self._known[place] = Known(one, received)
                self._bytes += one.headers.size
            while len(self._known) > _REMEMBERED or self._bytes > _ROOM:
                self._forget(next(iter(self._known)))

    def find(self, stream: str, group: str, entry: str) -> Known | None:
        """What is known of an entry."""
        return self._known.get((stream, group, entry))

    def settle(self, stream: str, group: str, entries: Iterable[str]) -> list[Delivery]:
        """The deliveries of these ids, which are settled now; of unknown ones what the call says."""
        found = []
        with self._lock:
            for entry in entries:
                known = self._forget((stream, group, entry))
                found.append(known.delivery if known else delivery_of(stream, (entry, {}), group))
        return found

    def _forget(self, place: Place) -> Known | None:
        known = self._known.pop(place, None)
        if known is not None:
            self._bytes -= known.delivery.headers.size
        return known


def entry_id(delivery: Delivery) -> str:
    """The id that the stream gave it."""
    return str((delivery.more or {})[semconv.THROUGHLINE_MESSAGE_ENTRY_ID])


def delivery_of(stream: object, entry: Any, group: object = "", attempt: int | None = None) -> Delivery:
    """The parts of a stream's entry ``(id, fields)`` that spans are made from; raises nothing."""
    with guarded("redis entry"):
        found = text(entry[0])
        fields = entry[1] or {}
        headers = headers_of(fields)
        if headers.size > _LONGEST:
            headers = Headers([(name, value) for name, value in headers if len(text(value)) < _LONGEST // 8])
        return Delivery(
            destination=text(stream),
            headers=headers,
            group=text(group),
            body_size=size(fields) if fields else None,
            attempt=attempt,
            more={semconv.THROUGHLINE_MESSAGE_ENTRY_ID: found, semconv.MESSAGING_MESSAGE_ID: found},
        )
    return Delivery(destination=text(stream), more={semconv.THROUGHLINE_MESSAGE_ENTRY_ID: ""})


def streams_of(reply: Any) -> list[tuple[Any, list[Any]]]:
    """(stream, entries) of a read, in each of the shapes the client gives."""
    rows = reply.items() if isinstance(reply, dict) else reply or ()
    found = []
    for stream, entries in rows:
        # RESP3 without unified replies wraps the entries once more
        flat = entries[0] if len(entries) == 1 and isinstance(entries[0], list) else entries
        found.append((stream, [one for one in flat if one and one[0] is not None]))
    return found


def strip(entries: Iterable[Any]) -> None:
    """Take the context out of the fields: a handler that is given all of them expects its own."""
    for entry in entries:
        fields = entry[1]
        for name in [key for key in fields or () if text(key).lower() in CONTEXT]:
            del fields[name]
