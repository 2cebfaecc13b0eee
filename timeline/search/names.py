"""The short names that a question may use for fields and attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from timeline.search.query import FIELDS
from tracing import semconv

_KINDS = ("fact", "span_kind")

# what a person types -> the built-in fields it may mean, likeliest first
FIELD_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    **{name: (name,) for name in FIELDS},
    "id": ("id", "event_id"),
    "topic": ("destination",),
    "queue": ("destination",),
    "exchange": ("destination",),
    "trace": ("trace_id",),
    "traceid": ("trace_id",),
    "traceId": ("trace_id",),
    "span": ("span_id",),
    "spanid": ("span_id",),
    "spanId": ("span_id",),
    "parent": ("parent_id",),
    "event": ("event_id",),
    "eventid": ("event_id",),
    "event_type": ("type",),
    "env": ("environment",),
    "kind": _KINDS,
    "correlation": ("correlation_id",),
    "correlationid": ("correlation_id",),
    "correlationId": ("correlation_id",),
    "causation": ("causation_id",),
    "causationid": ("causation_id",),
    "causationId": ("causation_id",),
}

# what a person types -> the attribute under which a promoted fact is kept
ATTRIBUTE_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "group": (semconv.MESSAGING_CONSUMER_GROUP_NAME,),
    "partition": (semconv.MESSAGING_DESTINATION_PARTITION_ID,),
    "offset": (semconv.MESSAGING_KAFKA_OFFSET,),
    "message": (semconv.MESSAGING_MESSAGE_ID,),
    "message.id": (semconv.MESSAGING_MESSAGE_ID,),
    "message_id": (semconv.MESSAGING_MESSAGE_ID,),
    "key": (semconv.MESSAGING_KAFKA_MESSAGE_KEY, semconv.THROUGHLINE_MESSAGE_KEY),
    "conversation": (semconv.MESSAGING_MESSAGE_CONVERSATION_ID,),
    "operation": (semconv.MESSAGING_OPERATION_TYPE,),
    "system": (semconv.MESSAGING_SYSTEM,),
    "attempt": (semconv.THROUGHLINE_MESSAGE_ATTEMPT,),
    "schema": (semconv.THROUGHLINE_MESSAGE_SCHEMA,),
    "source": (semconv.CLOUDEVENTS_EVENT_SOURCE,),
    "subject": (semconv.CLOUDEVENTS_EVENT_SUBJECT,),
    "sequence": (semconv.THROUGHLINE_EVENT_SEQUENCE,),
    "version": (semconv.SERVICE_VERSION,),
    "instance": (semconv.SERVICE_INSTANCE_ID,),
    "level": ("severity",),
}

# names of older conventions -> the current one, under which facts are normalised
CURRENT_NAMES: Final[Mapping[str, str]] = semconv.ALIASES

# fields whose values are stored in lower case: ids in hex, and words of ours
LOWER_CASE: Final = frozenset({"trace_id", "span_id", "parent_id", "link", "status", "fact", "span_kind"})

# keys of the language itself: an attribute of such a name is asked as attribute.<name>
RESERVED_KEYS: Final = frozenset({"has", "entity", "context", "words", "anywhere", "field", "attribute"})
