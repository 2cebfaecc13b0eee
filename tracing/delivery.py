"""One message as its consumer got it, and what of it goes on spans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanContext

from tracing import dead_letters, envelope, propagation, semconv
from tracing.entities import known, named
from tracing.headers import Headers, text
from tracing.quick import SPAN

KEY_TYPE = "throughline.message.key_type"
LONGEST_KEY = 256
_HEAVY = 4096  # bytes of headers beyond which only those that name the message are kept for settling
_NAMING = (propagation.TRACEPARENT, propagation.TRACESTATE, "ce_id", "ce_source", "ce_type", "ce_specversion")
Attributes = dict[str, Any]


@dataclass(slots=True, kw_only=True)  # one is made per message, and freezing triples what that costs
class Delivery:
    """One message as its consumer got it; ``headers`` may be anything a client hands over.

    ``body_size`` is in bytes, ``None`` where it is not known; ``tombstone`` says that there is no body on
    purpose. ``attempt`` is the broker's own count, where it has one. ``more`` are span
    attributes of the system at hand.
    """

    destination: str
    headers: Headers = field(default_factory=Headers)
    key: object = None
    partition: int | None = None
    offset: int | None = None
    group: str = ""
    body: object = None
    body_size: int | None = None
    tombstone: bool = False
    attempt: int | None = None
    more: Mapping[str, Any] | None = None
    _came: Context | None = field(default=None, init=False, repr=False)
    _creation: SpanContext | None = field(default=None, init=False, repr=False)
    _told: Attributes | None = field(default=None, init=False, repr=False, compare=False)

    def context(self) -> Context:
        """A context with the span, baggage and entities the message came with, and nothing else."""
        if self._came is not None:
            return self._came
        came = propagation.extract(self.headers)
        self._creation = created(came)
        if len(came) < 2:  # asked for again when it is handled and settled; baggage is too large to be kept
            self._came = came
        return came

    def creation(self) -> SpanContext | None:
        """The span that created the message, where its headers say so."""
        if self._creation is None:
            self.context()
        return self._creation


def light(delivery: Delivery) -> Delivery:
    """What is kept of it until the message is settled: never its body, and no heap of headers."""
    headers = delivery.headers
    if headers.size > _HEAVY:
        headers = Headers(
            [pair for pair in headers if pair[0].lower() in _NAMING and len(str(pair[1])) < 1024]
        )
    elif delivery.body is None:
        return delivery
    return replace(delivery, headers=headers, body=None)


def created(context: Context) -> SpanContext | None:
    """The span of an extracted context, where it has one."""
    found = context.get(SPAN)
    return None if found is None or found is INVALID_SPAN else cast("Span", found).get_span_context()


def key_text(key: object) -> str:
    """A message key for people: text as it is, other bytes as ``0x...``; cut at 256 characters."""
    if isinstance(key, bytes | bytearray | memoryview):
        raw = bytes(key)
        try:
            decoded = raw.decode()
        except UnicodeDecodeError:
            decoded = ""
        return (decoded if decoded.isprintable() and decoded else "0x" + raw.hex())[:LONGEST_KEY]
    return text(key)[:LONGEST_KEY]


def key_type(key: object) -> str:
    """``string``, ``int32``, ``int64`` or ``bytes``: how the key was written, as far as bytes tell."""
    return _key(key)[1]


def _key(key: object) -> tuple[str, str]:
    shown = key_text(key)
    if not isinstance(key, bytes | bytearray | memoryview) or not shown.startswith("0x"):
        return shown, "string"
    return shown, {4: "int32", 8: "int64"}.get(len(bytes(key)), "bytes")


def content(
    found: Attributes, system: str, key: object, body_size: int | None, tombstone: bool, headers: Headers
) -> None:
    """Put in what says it of a message whoever holds it, producer or consumer."""
    if key is not None:
        shown, kind = _key(key)
        if system == "kafka":
            found[semconv.MESSAGING_KAFKA_MESSAGE_KEY] = shown
            if kind != "string":
                found[KEY_TYPE] = kind
        else:
            found[semconv.THROUGHLINE_MESSAGE_KEY] = shown
    if body_size is not None:
        found[semconv.MESSAGING_MESSAGE_BODY_SIZE] = body_size
    if tombstone:
        found[semconv.MESSAGING_KAFKA_MESSAGE_TOMBSTONE] = True
    if len(headers) and (died := dead_letters.read(headers)):
        found.update(died.attributes())


def coordinates(found: Attributes, system: str, delivery: Delivery) -> None:
    """Put in everything that tells this delivery from others, its consumer group included."""
    told = delivery._told
    if told is None:  # said again of its link, its handling and its settling
        told = delivery._told = {}
        _coordinates(told, system, delivery)
    found.update(told)


def _coordinates(found: Attributes, system: str, delivery: Delivery) -> None:
    headers = delivery.headers
    content(found, system, delivery.key, delivery.body_size, delivery.tombstone, headers)
    found[semconv.THROUGHLINE_MESSAGE_HEADER_BYTES] = headers.size
    if delivery.group:
        found[semconv.MESSAGING_CONSUMER_GROUP_NAME] = delivery.group
    if delivery.partition is not None:
        found[semconv.MESSAGING_DESTINATION_PARTITION_ID] = str(delivery.partition)
    if delivery.offset is not None:
        found[semconv.MESSAGING_KAFKA_OFFSET] = delivery.offset
    if delivery.more:
        found.update(delivery.more)


def linked(system: str, delivery: Delivery, context: Context, shared: str) -> Attributes:
    """Attributes of the link that stands for one message of a batch: what tells it from its neighbours.

    ``context`` is the delivery's own; ``shared`` the destination that the span itself names.
    """
    found: Attributes = {}
    coordinates(found, system, delivery)
    found.pop(semconv.MESSAGING_CONSUMER_GROUP_NAME, None)
    if not shared:
        found[semconv.MESSAGING_DESTINATION_NAME] = delivery.destination
    if event := envelope.read(delivery.headers):
        found[semconv.MESSAGING_MESSAGE_ID] = event.id
    if known(context):
        found |= named(context).attributes()
    return found
