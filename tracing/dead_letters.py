"""Why a message is among the dead letters, and where it died: said in its headers.

Kafka has no dead letters of its own, so ``mark`` writes two headers; ``read`` knows them and those
of Kafka Connect and of Spring. Brokers with dead letters of their own (RabbitMQ's ``x-death``) are read
by their integration.
"""

from __future__ import annotations

from typing import NamedTuple

from tracing import semconv
from tracing.guard import guarded
from tracing.headers import Headers

REASON = "throughline-dead-letter-reason"
SOURCE = "throughline-dead-letter-source"
_LONGEST = 256
_CONNECT = "__connect.errors."
_SPRING = "kafka_dlt-"
_TELLING = (REASON, SOURCE, f"{_CONNECT}topic", f"{_SPRING}original-topic")


class Death(NamedTuple):
    """``reason`` in words; ``source`` as ``topic/partition/offset``, or as much of it as is known."""

    reason: str
    source: str

    def attributes(self) -> dict[str, str]:
        """Span attributes, without what is not known."""
        named = {
            semconv.THROUGHLINE_DEAD_LETTER_REASON: self.reason,
            semconv.THROUGHLINE_DEAD_LETTER_SOURCE: self.source,
        }
        return {key: value[:_LONGEST] for key, value in named.items() if value}


def mark(headers: Headers, *, reason: str, source: str) -> None:
    """Say in the headers why this message goes to the dead letters; replaces what an earlier death said."""
    with guarded("dead letter"):
        headers.set(REASON, reason[:_LONGEST])
        headers.set(SOURCE, source[:_LONGEST])


def read(headers: Headers) -> Death | None:
    """How the message died, or ``None`` where its headers say nothing of it; never raises."""
    names = headers.names()
    if names.isdisjoint(_TELLING):
        return None
    with guarded("dead letter"):
        if REASON in names or SOURCE in names:
            return Death(headers.get(REASON) or "", headers.get(SOURCE) or "")
        if f"{_CONNECT}topic" in names:
            parts = [headers.get(_CONNECT + part) for part in ("topic", "partition", "offset")]
            reason = headers.get(f"{_CONNECT}exception.message") or headers.get(
                f"{_CONNECT}exception.class.name"
            )
            return Death(reason or "", "/".join(part for part in parts if part))
        if f"{_SPRING}original-topic" in names:
            # Spring writes partition and offset as big-endian integers
            numbers = [headers.raw(f"{_SPRING}original-{part}") for part in ("partition", "offset")]
            places = [str(int.from_bytes(number, "big")) for number in numbers if number]
            topic = headers.get(f"{_SPRING}original-topic") or ""
            return Death(headers.get(f"{_SPRING}exception-message") or "", "/".join([topic, *places]))
    return None
