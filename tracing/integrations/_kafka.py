"""What the integrations of Kafka clients have in common; imports none of the clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import TracerProvider

from tracing.dead_letters import mark
from tracing.guard import guarded, lost
from tracing.handover import Handover
from tracing.headers import Headers, text
from tracing.options import Options
from tracing.spans import Delivery, Messaging


def messaging(
    servers: object, client_id: object, provider: TracerProvider | None, options: Options | None
) -> Messaging:
    """Spans of one Kafka client; ``servers`` as the client takes them: text with commas, or a list."""
    found: dict[str, Any] = {}
    with guarded("kafka client"):
        if client_id:
            found["client_id"] = str(client_id)
        first = str(servers[0] if isinstance(servers, list | tuple) and servers else servers or "")
        host, colon, port = first.split(",")[0].strip().rpartition(":")
        if colon and port.isdigit():
            found |= {"server_address": host.rpartition("//")[2], "server_port": int(port)}
    return Messaging("kafka", provider=provider, options=options, **found)


def outgoing(given: object, carried: Headers) -> Any:
    """What the client gets as headers: ours with the application's, whose values stay as they are.

    Headers that the client refuses are handed on untouched, so that its error is what it would have been.
    """
    if given is None:
        return carried.wire()
    if isinstance(given, dict):
        good = not any(isinstance(value, list | tuple) for value in given.values())
    else:
        good = isinstance(given, list) and all(isinstance(one, tuple) and len(one) == 2 for one in given)
    return carried.wire() if good else given


def size(value: object) -> int | None:
    """Bytes of a message's body; ``None`` where it is not bytes or text (yet)."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace"))
    return len(value) if isinstance(value, bytes | bytearray | memoryview) else None


def marked(headers: object, topic: object, partition: object, offset: object, error: object) -> list[Any]:
    """The headers of a message that goes to the dead letters: its own, and why and where it died."""
    carried = Headers(headers)  # type: ignore[arg-type]
    named = f"{type(error).__qualname__}: {text(error)}" if isinstance(error, BaseException) else text(error)
    mark(carried, reason=named, source=f"{topic}/{partition}/{offset}")
    return carried.pairs()


def record_delivery(record: Any, group: str = "", *, body: bool = False) -> Delivery:
    """The parts of a kafka-python or aiokafka record that spans are made from; never raises.

    ``body`` keeps the body too, for a span that shows it.
    """
    try:
        length, value = record.serialized_value_size, record.value
        return Delivery(
            destination=record.topic,
            headers=Headers(record.headers),
            key=record.key,
            partition=record.partition,
            offset=record.offset,
            group=group,
            body=value if body else None,
            body_size=length if length is not None and length >= 0 else None,
            tombstone=value is None,
        )
    except Exception:  # noqa: BLE001  hot: as guarded does
        lost("kafka message")
    return Delivery(destination="")


def committed(
    handover: Handover, offsets: Mapping[Any, Any] | None, start: int, error: object = None
) -> None:
    """A settle span for the messages whose offsets are committed; ``None`` commits all that came.

    ``offsets`` is ``{TopicPartition: OffsetAndMetadata}``, or plain offsets.
    """
    with guarded("settle span"):
        if offsets is None:
            return handover.settled(start=start, error=error)
        rows = [
            row
            for place, upto in offsets.items()
            for row in handover.before(place.topic, place.partition, getattr(upto, "offset", upto))
        ]
        return handover.settled(*rows, start=start, error=error) if rows else None


def commits_by_call(setting: object) -> bool:
    """Whether a consumer with this ``enable.auto.commit`` commits by calling; all clients default to not."""
    return str(setting).lower() in ("false", "0")
