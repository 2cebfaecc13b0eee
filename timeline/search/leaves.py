"""What of a fact can be asked for by key: its leaves, its body's, and its promoted facts.

In: a fact. Out: pairs of key and scalar. Not here: how they are kept or looked up.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from timeline.domain import Event, EventInfo, Fact, Message, Scope, Span
from tracing import semconv

MAX_LEAVES: Final = 200  # of one body
MAX_JSON_TEXT: Final = 65_536  # a longer text body is not read as JSON


def texts(value: Any) -> tuple[str, ...]:
    """How a scalar is written in a question: whole doubles both as ``5`` and ``5.0``, bytes
    in base64; nothing for ``None``."""
    if isinstance(value, str):
        return (value,)
    if value is None:
        return ()
    if isinstance(value, bool):
        return ("true",) if value else ("false",)
    if isinstance(value, int):
        return (str(value),)
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e16:
            return (repr(value), str(int(value)))
        return (repr(value),)
    return (base64.b64encode(value).decode("ascii"),)


def leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The scalars inside a value, depth first in order: maps extend the key by ``.name``,
    arrays keep it. An empty map or array is a leaf without a value (``None``)."""
    stack: list[tuple[str, Any]] = [(key, value)]
    while stack:
        name, item = stack.pop()
        if isinstance(item, dict):
            head = f"{name}." if name else ""
            stack.extend((f"{head}{inner}", item[inner]) for inner in reversed(item))
        elif isinstance(item, (list, tuple)):
            stack.extend((name, inner) for inner in reversed(item))
        else:
            yield name, item
            continue
        if not item and name:
            yield name, None


def body_leaves(body: Any) -> Iterator[tuple[str, Any]]:
    """Leaves of a body under their path within it; a body that is a scalar is named ``body``."""
    if isinstance(body, (str, bytes)) and len(body) <= MAX_JSON_TEXT:
        head = body[:1]
        if head in ("{", "[", b"{", b"["):
            try:
                yield from body_leaves(msgspec.json.decode(body))
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                pass
            else:
                return
    if isinstance(body, dict):
        yield from leaves("", body)
    elif isinstance(body, (list, tuple)):
        for item in body:
            if isinstance(item, (dict, list, tuple)):
                yield from body_leaves(item)
            else:
                yield "body", item
    elif body is not None:
        yield "body", body


_MESSAGE: Final = {
    "system": semconv.MESSAGING_SYSTEM,
    "operation": semconv.MESSAGING_OPERATION_TYPE,
    "destination": semconv.MESSAGING_DESTINATION_NAME,
    "id": semconv.MESSAGING_MESSAGE_ID,
    "key": semconv.THROUGHLINE_MESSAGE_KEY,
    "partition": semconv.MESSAGING_DESTINATION_PARTITION_ID,
    "offset": semconv.MESSAGING_KAFKA_OFFSET,
    "group": semconv.MESSAGING_CONSUMER_GROUP_NAME,
    "conversation_id": semconv.MESSAGING_MESSAGE_CONVERSATION_ID,
    "body_size": semconv.MESSAGING_MESSAGE_BODY_SIZE,
    "header_bytes": semconv.THROUGHLINE_MESSAGE_HEADER_BYTES,
    "schema": semconv.THROUGHLINE_MESSAGE_SCHEMA,
    "attempt": semconv.THROUGHLINE_MESSAGE_ATTEMPT,
    "batch_count": semconv.MESSAGING_BATCH_MESSAGE_COUNT,
    "cluster": semconv.MESSAGING_KAFKA_CLUSTER_ID,
}
_EVENT: Final = {
    "source": semconv.CLOUDEVENTS_EVENT_SOURCE,
    "id": semconv.CLOUDEVENTS_EVENT_ID,
    "type": semconv.CLOUDEVENTS_EVENT_TYPE,
    "subject": semconv.CLOUDEVENTS_EVENT_SUBJECT,
    "correlation_id": semconv.THROUGHLINE_CORRELATION_ID,
    "causation_id": semconv.THROUGHLINE_CAUSATION_ID,
    "sequence": semconv.THROUGHLINE_EVENT_SEQUENCE,
}


MESSAGE_NAMES: Final = tuple(_MESSAGE[field] for field in Message.__struct_fields__)
KAFKA_NAMES: Final = tuple(
    semconv.MESSAGING_KAFKA_MESSAGE_KEY if field == "key" else _MESSAGE[field]
    for field in Message.__struct_fields__
)
EVENT_NAMES: Final = tuple(_EVENT.get(field, "") for field in EventInfo.__struct_fields__)


def promoted(message: Message | None, event: EventInfo | None) -> list[tuple[str, Any]]:
    """Promoted facts under their current names, so old senders are found by the new ones."""
    found: list[tuple[str, Any]] = []
    if message is not None:
        names = KAFKA_NAMES if message.system == "kafka" else MESSAGE_NAMES
        found = [pair for pair in zip(names, astuple(message), strict=True) if pair[1] is not None]
    if event is not None:
        values = zip(EVENT_NAMES, astuple(event), strict=True)
        found += [(name, value) for name, value in values if value is not None and name]
    return found


_MAKER: Final = (
    semconv.SERVICE_NAME,
    semconv.SERVICE_INSTANCE_ID,
    semconv.SERVICE_VERSION,
    semconv.DEPLOYMENT_ENVIRONMENT_NAME,
    "otel.scope.name",
    "otel.scope.version",
)


def origin(maker: tuple[str, str, str, str], scope: Scope) -> Iterator[tuple[str, str]]:
    """Who made a fact, under names that searches use; ``maker`` is its service, instance, version
    and environment."""
    for name, value in zip(_MAKER, (*maker, scope.name, scope.version), strict=True):
        if value:
            yield name, value


def body_of(fact: Event) -> tuple[list[tuple[str, Any]], bool]:
    """The leaves of a body by key, at most ``MAX_LEAVES``, and whether there are more."""
    found: list[tuple[str, Any]] = []
    for leaf in body_leaves(fact.body):
        if len(found) == MAX_LEAVES:
            return found, True
        found.append(leaf)
    return found, False


def pairs_of(fact: Fact) -> list[tuple[str, Any]]:
    """Every key and scalar of a fact that a question can name, doubles included."""
    maker = (fact.service, fact.instance, fact.version, fact.environment)
    found: list[tuple[str, Any]] = [*promoted(fact.message, fact.event), *origin(maker, fact.scope)]
    parts = [fact.attributes, fact.resource, fact.scope.attributes]
    if isinstance(fact, Span):
        parts.extend(link.attributes for link in fact.links)
        parts.extend(annotation.attributes for annotation in fact.annotations)
    else:
        if fact.severity:
            found.append(("severity", fact.severity))
        if fact.severity_number:
            found.append(("severity_number", fact.severity_number))
        found.extend(body_of(fact)[0])
    for part in parts:
        for key, value in part.items():
            found.extend(leaves(key, value))
    return found


def values_of(fact: Fact, key: str) -> list[str]:
    """The different texts of the values of ``key`` on this fact, sorted: what a facet counts."""
    return sorted({texts(value)[0] for name, value in pairs_of(fact) if name == key and value is not None})
