"""What the records of a topic mean, from a TOML file.

A place is ``key``, ``value``, ``topic``, ``header:NAME``, a JSON pointer into the value (``/order/id``) or the
key (``key:/id``), or, after ``=``, the text itself. Records that are CloudEvents need no rule.
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from timeline.errors import MalformedPayload
from timeline.ingest.values import pointed

REMEDY: Final = "see docs/tapping.md"
PLACES: Final = ("key", "value", "topic")


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where each field of a record's event is read; what a rule does not name stays empty."""

    topic: str  # a name, * stands for anything
    type: str = "topic"
    id: str = ""
    time: str = ""
    time_format: str = "auto"  # auto, s, ms, us, ns
    source: str = ""
    subject: str = ""
    service: str = ""
    environment: str = ""
    correlation: str = ""
    causation: str = ""
    sequence: str = ""
    schema: str = ""
    message_id: str = ""
    body: str = "value"  # "" keeps none
    entities: dict[str, str] = {}
    attributes: list[str] = []
    headers: bool = True  # whether headers are kept as attributes

    def places(self) -> list[str]:
        """Every place that is named."""
        own = (
            self.type, self.id, self.time, self.source, self.subject, self.service, self.environment, self.correlation,
            self.causation, self.sequence, self.schema, self.message_id, self.body, *self.entities.values(), *self.attributes,
        )  # fmt: skip
        return [place for place in own if place]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    topics: list[Rule] = []


_USUAL: Final = Rule(topic="*")


class TopicRules:
    """The rules of a file; the first that fits a topic is its rule."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules
        self._known: dict[str, Rule] = {}

    def of(self, topic: str) -> Rule:
        """The rule of a topic; where none fits, the value is the body and the topic the type."""
        if topic not in self._known:
            fitting = (rule for rule in self._rules if fnmatch.fnmatchcase(topic, rule.topic))
            self._known[topic] = next(fitting, _USUAL)
        return self._known[topic]


def read(text: str) -> TopicRules:
    """The rules of a TOML text; raises ``MalformedPayload`` that says where it is wrong."""
    try:
        found = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise MalformedPayload(f"the rules cannot be read: {error}", remedy=REMEDY) from error
    for rule in found.topics:
        for place in rule.places():
            if not (place in PLACES or place.startswith(("header:", "key:/", "/", "="))):
                raise MalformedPayload(
                    f"{place!r} in the rule for {rule.topic!r} is no place",
                    remedy="key, value, topic, header:NAME, /pointer, key:/pointer or =text",
                )
        if rule.time_format not in ("auto", "s", "ms", "us", "ns"):
            raise MalformedPayload(
                f"time_format {rule.time_format!r} is not known", remedy="auto, s, ms, us or ns"
            )
    return TopicRules(found.topics)


def at(place: str, record: Mapping[str, Any]) -> Any:
    """What stands at a place of a record (``topic``, ``key``, ``value``, ``headers``); ``None`` for nothing."""
    if place.startswith("="):
        return place[1:]
    if place.startswith("header:"):
        return record["headers"].get(place[7:].lower())
    if place.startswith("key:/"):
        return pointed(record["key"], place[4:])
    if place.startswith("/"):
        return pointed(record["value"], place)
    return record.get(place)
