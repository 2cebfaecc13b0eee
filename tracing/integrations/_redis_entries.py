"""What is known of entries of Redis streams: their context, who received them, and how often."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from opentelemetry.trace import SpanContext

from tracing import forking, semconv
from tracing.guard import guarded
from tracing.headers import Headers, text
from tracing.integrations._clients import CONTEXT, Address, Clients, carried, messaging
from tracing.integrations._hands import Running
from tracing.spans import Delivery, Messaging

_REMEMBERED = 10_000
_ROOM = 16 * 1024 * 1024  # bytes of context fields of all that is remembered
_LONGEST = 16_384  # a longer value is kept nowhere
Place = tuple[str, str, str]  # stream, group, entry id


def _address(pool: Any) -> Address:
    asked = getattr(pool, "connection_kwargs", {})  # a cluster has many pools
    return asked.get("host") or asked.get("path"), int(asked.get("port") or 0) or 6379


clients = Clients(
    lambda pool, provider, options: messaging("redis", provider, options, lambda: _address(pool))
)


def spans(client: Any) -> Messaging:
    """The spans of one connection pool, which its clients and pipelines share."""
    return clients.of(getattr(client, "connection_pool", client))


def parts_of(fields: Mapping[Any, Any]) -> tuple[Headers, int]:
    """What is no part of the application's data, and the bytes of its names and values, numbers as text."""
    found, size = [], 0
    for key, value in fields.items():
        own = text(key)
        name = own.lower()
        if carried(name):
            found.append((name, value))
        if name not in CONTEXT:
            size += len(own) + len(value if isinstance(value, bytes | str) else str(value))
    return Headers(found), size


class Known(NamedTuple):
    """What was seen of an entry when it was handed over."""

    delivery: Delivery
    received: SpanContext | None


class Entries:
    """Entries that were handed over and not settled yet; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Place, Known] = OrderedDict()
        self.running: dict[Place, Running[Place]] = {}  # handlers at work
        self._bytes = 0
        forking.track(self)

    def forked(self) -> None:
        """A thread that is not here may have held the lock, and been in the middle of it."""
        self._lock = threading.Lock()
        self._bytes = sum(known.delivery.headers.size for known in self._known.values())

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
        headers, size = parts_of(fields)
        if headers.size > _LONGEST:
            headers = Headers([(name, value) for name, value in headers if len(text(value)) < _LONGEST // 8])
        return Delivery(
            destination=text(stream),
            headers=headers,
            group=text(group),
            body_size=size if fields else None,
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
