"""Old and new attribute names to the promoted facts of one vocabulary.

Reads every generation of the messaging conventions (1.17 to 1.44), the names that
Kafka, RabbitMQ, Celery, Redis streams, SQS, Pub/Sub, Service Bus and RocketMQ
instrumentations use, and CloudEvents on spans. Attributes are only read, never changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from timeline.domain import Attributes, EventInfo, Message
from tracing import semconv

_MAX: Final = (1 << 63) - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def text(value: Any) -> str | None:
    """The value as text; the first of a list; ``None`` where it says nothing."""
    kind = type(value)
    if kind is str:
        return value or None
    if kind is int:
        return str(value)
    if kind is list:
        return text(value[0]) if value and type(value[0]) is not list else None
    if kind is bytes:
        return value.decode("utf-8", "replace") or None
    if kind is float and value.is_integer():
        return str(int(value))
    return None


def number(value: Any) -> int | None:
    """The value as an integer from 0 to 2**63-1, also where it came as text."""
    kind = type(value)
    if kind is int:
        return value if 0 <= value <= _MAX else None
    if kind is float and value.is_integer():
        return number(int(value))
    found = text(value)
    if found is not None and len(found) < 20 and found.isascii() and found.isdigit():
        return number(int(found))
    return None


def rfc3339(value: str) -> int | None:
    """ns since 1970 of an RFC 3339 time, all nine digits kept; ``None`` where it is none."""
    found = _RFC3339.fullmatch(value)
    if found is None:
        return None
    day, minute, second, fraction, zone = found.groups()
    leap = second == "60"  # a leap second is the moment after :59
    zone = "+00:00" if zone in ("Z", "z") else zone
    try:
        at = datetime.fromisoformat(f"{day}T{minute}:{'59' if leap else second}{zone}")
    except ValueError:
        return None
    gone = at - _EPOCH
    seconds = gone.days * 86_400 + gone.seconds + leap
    return seconds * 1_000_000_000 + int(f"{fraction or '':0<9}"[:9])


def event_time(value: Any) -> int | None:
    """The value as an RFC 3339 time in ns."""
    return rfc3339(value) if type(value) is str else None


def system(value: Any) -> str | None:
    """The messaging system by its current name."""
    found = text(value)
    return None if found is None else _SYSTEMS.get(found.lower(), found.lower())


def operation(value: Any) -> str | None:
    """The kind of operation that a type names."""
    return semconv.OPERATION_TYPES.get((text(value) or "").lower())


def operation_name(value: Any) -> str | None:
    """The kind of operation that a name of one means."""
    return semconv.OPERATION_NAMES.get((text(value) or "").lower())


def last_segment(value: Any) -> str | None:
    """What a URL ends with."""
    return (text(value) or "").rstrip("/").rpartition("/")[2] or None


def retries(value: Any) -> int | None:
    """Counts of repeats start at 0 for the first delivery."""
    found = number(value)
    return None if found is None else found + 1


def attempt(value: Any) -> int | None:
    """A count of deliveries from 1 on."""
    return number(value) or None


_SYSTEMS: Final = {
    "amazonsqs": "aws_sqs",
    "aws.sqs": "aws_sqs",
    "aws_sqs": "aws_sqs",
    "sqs": "aws_sqs",
    "google_pubsub": "gcp_pubsub",
    "pubsub": "gcp_pubsub",
    "azure_servicebus": "servicebus",
    "az.servicebus": "servicebus",
    "apache_kafka": "kafka",
}


class Source(NamedTuple):
    """Where a promoted field is read from; of several, the lowest rank that says something wins."""

    field: str
    rank: int
    read: Callable[[Any], Any]
    of_event: bool = False


_READ: Final[dict[str, tuple[Callable[[Any], Any], tuple[str, ...]]]] = {
    "system": (system, (semconv.MESSAGING_SYSTEM,)),
    "operation": (operation, (semconv.MESSAGING_OPERATION_TYPE,)),
    "destination": (text, (semconv.MESSAGING_DESTINATION_NAME, "celery.queue", "celery.routing_key")),
    "id": (text, (semconv.MESSAGING_MESSAGE_ID, "messaging.rabbitmq.message.id", "celery.id")),
    "key": (
        text,
        (
            semconv.MESSAGING_KAFKA_MESSAGE_KEY,
            semconv.THROUGHLINE_MESSAGE_KEY,
            semconv.MESSAGING_PUBSUB_ORDERING_KEY,
            semconv.MESSAGING_ROCKETMQ_MESSAGE_KEYS,
        ),
    ),
    "partition": (text, (semconv.MESSAGING_DESTINATION_PARTITION_ID,)),
    "offset": (number, (semconv.MESSAGING_KAFKA_OFFSET,)),
    "group": (
        text,
        (semconv.MESSAGING_CONSUMER_GROUP_NAME, semconv.MESSAGING_DESTINATION_SUBSCRIPTION_NAME),
    ),
    "conversation_id": (text, (semconv.MESSAGING_MESSAGE_CONVERSATION_ID, "celery.correlation_id")),
    "body_size": (number, (semconv.MESSAGING_MESSAGE_BODY_SIZE,)),
    "header_bytes": (number, (semconv.THROUGHLINE_MESSAGE_HEADER_BYTES,)),
    "schema": (
        text,
        (
            semconv.THROUGHLINE_MESSAGE_SCHEMA,
            "cloudevents.event_dataschema",
            "cloudevents.dataschema",
            "dataschema",
            "messaging.message.schema.id",
            "messaging.schema.id",
            "schema.id",
            "messaging.message.schema.version",
            "schema.version",
            "schema_version",
        ),
    ),
    "batch_count": (number, (semconv.MESSAGING_BATCH_MESSAGE_COUNT,)),
    "cluster": (text, (semconv.MESSAGING_KAFKA_CLUSTER_ID,)),
}
# Deliveries counted from 1, in the order asked ...
_COUNTED: Final = (
    semconv.THROUGHLINE_MESSAGE_ATTEMPT,
    semconv.MESSAGING_SERVICEBUS_DELIVERY_COUNT,
    semconv.MESSAGING_PUBSUB_DELIVERY_ATTEMPT,
    "messaging.message.delivery_attempt",
    "messaging.message.delivery_count",
    "messaging.message.attempt",
    "messaging.message.receive_count",
    "messaging.aws_sqs.message.receive_count",
    "messaging.aws_sqs.approximate_receive_count",
    "aws.sqs.approximate_receive_count",
    "messaging.redis.message.delivery_count",
)
# ... and repeats counted from 0.
_REPEATED: Final = (
    "celery.retries",
    "messaging.celery.retries",
    "messaging.message.retry_count",
    "messaging.message.redelivery_count",
    "messaging.rabbitmq.message.delivery_count",
    "messaging.rabbitmq.message.x_delivery_count",
    "messaging.header.x-delivery-count",
    "messaging.rocketmq.message.reconsume_times",
)
# Read to conclude something where the promoted attribute itself is absent.
_HINTS: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    semconv.MESSAGING_MESSAGE_ENVELOPE_SIZE: ("_envelope", number),
    semconv.MESSAGING_RABBITMQ_ROUTING_KEY: ("_routing_key", text),
    semconv.AWS_SQS_QUEUE_URL: ("_queue_url", last_segment),
    "messaging.url": ("_url", last_segment),
    "celery.action": ("_celery", text),
}
HINTED: Final = tuple(field for field, _ in _HINTS.values())
_EVENT: Final[dict[str, tuple[Callable[[Any], Any], tuple[str, ...]]]] = {
    "source": (text, (semconv.CLOUDEVENTS_EVENT_SOURCE,)),
    "id": (text, (semconv.CLOUDEVENTS_EVENT_ID,)),
    "type": (text, (semconv.CLOUDEVENTS_EVENT_TYPE,)),
    "subject": (text, (semconv.CLOUDEVENTS_EVENT_SUBJECT,)),
    "time": (event_time, (semconv.THROUGHLINE_EVENT_TIME, "cloudevents.event_time")),
    "correlation_id": (text, (semconv.THROUGHLINE_CORRELATION_ID, "cloudevents.event_correlationid")),
    "causation_id": (text, (semconv.THROUGHLINE_CAUSATION_ID, "cloudevents.event_causationid")),
    "sequence": (text, (semconv.THROUGHLINE_EVENT_SEQUENCE, "cloudevents.event_sequence")),
}


def _sources() -> dict[str, Source]:
    """Every attribute key that is read, with what it fills; older names rank behind the current."""
    table: dict[str, Source] = {}
    for field, (read, keys) in _READ.items():
        for key in keys:
            names = [key, *(old for old, new in semconv.ALIASES.items() if new == key)]
            for name in names:
                table[name] = Source(field, len(table), read)
    key = semconv.MESSAGING_OPERATION_NAME
    table[key] = Source("operation", len(table), operation_name)  # where no type says it
    for key in _COUNTED:
        table[key] = Source("attempt", len(table), attempt)
    for key in _REPEATED:
        table[key] = Source("attempt", len(table), retries)
    for key, (field, read) in _HINTS.items():
        for name in [key, *(old for old, new in semconv.ALIASES.items() if new == key)]:
            table[name] = Source(field, len(table), read)
    for field, (read, keys) in _EVENT.items():
        for key in keys:
            table[key] = Source(field, len(table), read, of_event=True)
    return table


SOURCES: Final[dict[str, Source]] = _sources()


class Reads(NamedTuple):
    """What to read from attributes of one shape: (field, key, reader), best source first."""

    message: tuple[tuple[str, str, Callable[[Any], Any]], ...]
    event: tuple[tuple[str, str, Callable[[Any], Any]], ...]


def reads(keys: Iterable[str]) -> Reads:
    """The sources among attribute keys; made once for all facts with the same keys."""
    found = sorted((SOURCES[key].rank, key) for key in keys if key in SOURCES)
    made = [(SOURCES[key].of_event, (SOURCES[key].field, key, SOURCES[key].read)) for _, key in found]
    return Reads(
        message=tuple(step for of_event, step in made if not of_event),
        event=tuple(step for of_event, step in made if of_event),
    )


def promote(
    plan: Reads, attributes: Attributes, kind: str = "", name: str = ""
) -> tuple[Message | None, EventInfo | None]:
    """The messaging facts and the event that attributes name; ``None`` where they name none.

    ``kind`` and ``name`` are the span's: where no operation was named, a producer sends and a consumer
    processes, unless it is called ``<destination> receive`` as by the conventions before 1.24.
    """
    message = _message(_filled(plan.message, attributes), kind, name) if plan.message else None
    if not plan.event:
        return message, None
    event = _filled(plan.event, attributes)
    return message, EventInfo(**event) if event else None


def _filled(
    steps: tuple[tuple[str, str, Callable[[Any], Any]], ...], attributes: Attributes
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, key, read in steps:
        if field not in found:
            value = read(attributes[key])
            if value is not None:
                found[field] = value
    return found


def _message(found: dict[str, Any], kind: str, name: str) -> Message | None:
    """The message, or ``None`` where what was found makes none."""
    if not found.keys().isdisjoint(HINTED):
        _conclude(found)
    if not found or found.keys() <= {"schema"}:
        return None  # a schema alone is no message
    if "operation" not in found and kind in ("producer", "consumer"):
        taken = "receive" if name.endswith(" receive") else "process"
        found["operation"] = "send" if kind == "producer" else taken
    return Message(**found)


def _conclude(found: dict[str, Any]) -> None:
    """Fill in what is not said outright, and drop the hints."""
    celery = found.pop("_celery", None)
    envelope = found.pop("_envelope", None)
    routing, url, queue = (found.pop(hint, None) for hint in ("_routing_key", "_url", "_queue_url"))
    if celery is not None:
        found.setdefault("system", "celery")
        found.setdefault("operation", "process" if celery == "run" else "send")
        if celery == "run":
            found.setdefault("attempt", 1)  # its instrumentation leaves out a retry count of 0
    other = queue or (url if found.get("system") == "aws_sqs" else None) or routing
    if other is not None:
        found.setdefault("destination", other)
    size = found.get("body_size")
    if envelope is not None and size is not None and envelope >= size:
        found.setdefault("header_bytes", envelope - size)


class Origin(NamedTuple):
    """Who sent it, by its resource."""

    service: str
    instance: str
    version: str
    environment: str


def origin(resource: Attributes) -> Origin:
    """Service, instance, version and environment of a resource; "" for what it does not say."""
    return Origin(
        service=text(resource.get(semconv.SERVICE_NAME)) or "",
        instance=text(resource.get(semconv.SERVICE_INSTANCE_ID)) or "",
        version=text(resource.get(semconv.SERVICE_VERSION)) or "",
        environment=text(resource.get(semconv.DEPLOYMENT_ENVIRONMENT_NAME))
        or text(resource.get(semconv.DEPLOYMENT_ENVIRONMENT))
        or "",
    )


def samples(trace_state: str) -> bool:
    """Whether a trace state proves that its sender samples (OpenTelemetry ``ot=th:``, older ``p:``).

    A threshold of 0 keeps everything, so it proves nothing.
    """
    if "ot=" not in trace_state:
        return False
    for member in trace_state.split(","):
        vendor, _, value = member.strip().partition("=")
        if vendor == "ot":
            for part in value.split(";"):
                name, _, threshold = part.partition(":")
                if name in ("th", "p") and threshold.strip("0"):
                    return True
    return False
