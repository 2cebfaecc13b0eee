"""What the integrations of Kafka clients have in common; imports none of the clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.trace import TracerProvider

from tracing.dead_letters import mark
from tracing.guard import guarded, lost
from tracing.handover import Handover
from tracing.headers import Headers, text
from tracing.options import Options
from tracing.patching import Patches
from tracing.spans import Delivery, Messaging, Processing


class Told:
    """What a client's class is told by whoever makes it, or by ``instrument()``."""

    _provider: TracerProvider | None = None
    _options: Options | None = None
    _automatic = False

    _spans: Messaging
    _capture: bool

    def _begin(
        self, servers: object, client_id: object, provider: TracerProvider | None, options: Options | None
    ) -> None:
        """``servers`` as the client takes them: text with commas, or a list."""
        told = options or self._options or Options()
        found: dict[str, Any] = {}
        with guarded("kafka client"):
            if client_id:
                found["client_id"] = str(client_id)
            first = str(servers[0] if isinstance(servers, list | tuple) and servers else servers or "")
            host, colon, port = first.split(",")[0].strip().rpartition(":")
            if colon and port.isdigit():
                found |= {"server_address": host.rpartition("//")[2], "server_port": int(port)}
        self._capture = bool(told.body)
        self._spans = Messaging("kafka", provider=provider or self._provider, options=told, **found)


class Consuming(Told):
    """A consumer's part of that."""

    _group: str
    _handover: Handover

    def _consume(self, group: object, auto_commit: object, **more: Any) -> None:
        """Call it after ``_begin``; all clients commit by themselves unless ``auto_commit`` says not to."""
        self._group = str(group or "")
        settles = str(auto_commit).lower() in ("false", "0")
        self._handover = Handover(self._spans, automatic=self._automatic, settles=settles, **more)


class Module:
    """What the module of a client offers beside its classes."""

    def __init__(
        self,
        *classes: type,
        consumer: type[Any],
        delivery: Callable[[Any], Delivery],
        leave: str = "",
    ) -> None:
        """``leave`` is part of the names of the client's modules that keep its own classes."""
        self._classes, self._consumer, self._delivery, self._leave = classes, consumer, delivery, leave
        self._patches = Patches()

    def process(self, consumer: Any, message: Any, *, attempt: int | None = None) -> Processing:
        """``consumer.process(message)`` for code that knows the client's own classes only.

        A consumer made before ``instrument()`` has its messages processed too, without group and batch.
        """
        if isinstance(consumer, self._consumer):
            made: Processing = consumer.process(message, attempt=attempt)
            return made
        return Messaging("kafka").process(self._delivery(message), attempt=attempt)

    def instrument(self, *, provider: TracerProvider | None = None, options: Options | None = None) -> None:
        """From now on the client's classes trace, wherever a module has imported them. Twice is once.

        Classes derived from them earlier and clients made earlier stay as they are.
        """
        if not self._patches:
            told = {"_provider": provider, "_options": options, "_automatic": True}
            for ours in self._classes:
                self._patches.derived(ours, told, leave=self._leave)

    def uninstrument(self) -> None:
        """Put the client's own classes back; clients made in between go on tracing."""
        self._patches.undo()


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
