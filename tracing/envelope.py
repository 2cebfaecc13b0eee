"""What happened, as a CloudEvent: id, source, type, and what it follows from.

An ``Envelope`` travels as ``ce_*`` headers beside the payload (CloudEvents 1.0.2, Kafka
protocol binding, binary mode), over AMQP as ``cloudEvents_*``. An event published while another is being handled follows
from it: it keeps the correlation and names its cause, without a line in the application.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from opentelemetry.context import Context, create_key, get_value, set_value

from tracing import semconv
from tracing.guard import guarded, lost
from tracing.headers import Headers, text

PREFIX = "ce_"
AMQP_PREFIX = "cloudEvents_"  # AMQP protocol binding 3.1.3.1; ":" for "_" is as good
_STARTS = (PREFIX, "cloudevents_", "cloudevents:")  # in lower case
_ID = "ce_id"
_NAME = re.compile(r"(?:ce_|cloudevents[_:])(.+)")
_KEY = create_key("throughline-envelope")
_FIELDS = {
    "id": "id",
    "source": "source",
    "type": "type",
    "subject": "subject",
    "time": "time",
    "dataschema": "schema",
    "partitionkey": "partition_key",
    "sequence": "sequence",
    "correlationid": "correlation_id",
    "causationid": "causation_id",
}
_ATTRIBUTES = {
    semconv.CLOUDEVENTS_EVENT_ID: "id",
    semconv.CLOUDEVENTS_EVENT_SOURCE: "source",
    semconv.CLOUDEVENTS_EVENT_TYPE: "type",
    semconv.CLOUDEVENTS_EVENT_SUBJECT: "subject",
    semconv.THROUGHLINE_EVENT_TIME: "time",
    semconv.THROUGHLINE_EVENT_SEQUENCE: "sequence",
    semconv.THROUGHLINE_CORRELATION_ID: "correlation_id",
    semconv.THROUGHLINE_CAUSATION_ID: "causation_id",
    semconv.THROUGHLINE_MESSAGE_SCHEMA: "schema",
    semconv.MESSAGING_MESSAGE_ID: "id",
    semconv.MESSAGING_MESSAGE_CONVERSATION_ID: "correlation_id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The CloudEvents attributes of one event; empty text means absent.

    ``time`` is RFC 3339. ``extensions`` holds further attributes by their lower-case name.
    """

    type: str
    source: str
    id: str = ""
    subject: str = ""
    time: str = ""
    schema: str = ""
    content_type: str = "application/json"
    partition_key: str = ""
    sequence: str = ""
    correlation_id: str = ""
    causation_id: str = ""
    extensions: Mapping[str, str] = field(default_factory=dict)

    def members(self) -> dict[str, str]:
        """CloudEvents attributes by their name on the wire, ``specversion`` first."""
        named = {wire: getattr(self, name) for wire, name in _FIELDS.items()}
        return (
            {"specversion": "1.0"}
            | {key: value for key, value in named.items() if value}
            | dict(self.extensions)
        )

    def attributes(self) -> dict[str, str]:
        """Span attributes: ``cloudevents.*``, message id and conversation id."""
        return {key: value for key, name in _ATTRIBUTES.items() if (value := getattr(self, name))}

    def structured(self, data: object) -> dict[str, object]:
        """The event as one JSON object (CloudEvents JSON format), with its data."""
        return {**self.members(), "datacontenttype": self.content_type, "data": data}


def new(kind: str, source: str, context: Context | None = None, **more: Any) -> Envelope:
    """A fresh event of this type: id, time, and cause and correlation from the one being handled.

    ``more`` are fields of ``Envelope`` and win over what would be filled in.
    """
    cause = current(context)
    followed = {}
    if cause is not None:
        followed = {"causation_id": cause.id, "correlation_id": cause.correlation_id or cause.id}
    stamp = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return replace(Envelope(type=kind, source=source, id=str(uuid.uuid4()), time=stamp), **(followed | more))


def write(envelope: Envelope, headers: Headers, prefix: str = PREFIX) -> None:
    """Put the event's attributes into headers as ``ce_*`` and ``content-type``; never raises.

    With ``AMQP_PREFIX`` the content type is left to the caller: AMQP has a property for it.
    """
    with guarded("envelope"):
        for name in [name for name, _ in headers if _NAME.fullmatch(name.lower())]:
            headers.remove(name)  # of the event that a republished message carried before
        for key, value in envelope.members().items():
            headers.set(prefix + key, value)
        if prefix == PREFIX:
            headers.set("content-type", envelope.content_type)


def read(carrier: Mapping[Any, Any] | Iterable[Any] | None) -> Envelope | None:
    """The event whose attributes the headers carry, or ``None`` where they carry none.

    ``id``, ``source``, ``type`` and ``specversion`` must all be there (Kafka binding 3.2.1).
    """
    headers = carrier if isinstance(carrier, Headers) else Headers(carrier)
    names = headers.names()
    if _ID not in names:
        for name in names:
            if name.startswith(_STARTS):
                break
        else:
            return None
    with guarded("envelope"):
        members = {
            match[1]: text(value) for name, value in headers if (match := _NAME.fullmatch(name.lower()))
        }
        if not all(members.get(key) for key in ("id", "source", "type", "specversion")):
            lost("incomplete envelope")
            return None
        del members["specversion"]
        fields: dict[str, Any] = {
            name: members.pop(wire) for wire, name in _FIELDS.items() if wire in members
        }
        return Envelope(**fields, content_type=headers.get("content-type") or "", extensions=members)
    return None


def current(context: Context | None = None) -> Envelope | None:
    """The event being handled in this context, or ``None``."""
    found = get_value(_KEY, context)
    return found if isinstance(found, Envelope) else None


def within(envelope: Envelope | None, context: Context | None = None) -> Context:
    """A context in which this event is being handled: what ``new`` makes follows from it."""
    return set_value(_KEY, envelope, context)
