"""Which business things a fact is about, and which only came along.

In the order of design 3.3, all of them kept: attributes ``throughline.entity.<type>``,
the CloudEvents subject, entity rules on attributes and on message keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from timeline.domain import Attributes, Entity, EventInfo, Link, Message
from timeline.ingest.normalise import SOURCES, Reads, reads
from tracing.semconv import CONTEXT_PREFIX, ENTITY_PREFIX

MAX_ENTITIES: Final = 256  # per fact and kind: a batch span names one or more per message
MAX_LENGTH: Final = 1024
_SHAPES: Final = 512
_SHAPE_KEYS: Final = 64
_SEPARATORS: Final = re.compile(r"[/:#?]+")

# Only nouns that mean a business thing everywhere. A general ``<x>.id`` would turn every
# thread, session and host into an entity.
_NOUNS: Final = ("order", "bet", "match", "player", "payment", "customer", "account", "invoice", "shipment")
_DEFAULT_ATTRIBUTES: Final = {
    key: noun for noun in _NOUNS for key in (f"{noun}.id", f"{noun}_id", f"{noun}Id", f"app.{noun}.id")
}
_DEFAULT_SUBJECTS: Final = {f"{noun}{'es' if noun.endswith('h') else 's'}": noun for noun in _NOUNS}


class Plan(NamedTuple):
    """What to look at in attributes of one shape."""

    reads: Reads
    named: tuple[tuple[str, str], ...]  # attribute key, entity type
    declared: tuple[str, ...]  # keys of our own that name entities


@dataclass(frozen=True)
class Rules:
    """How facts get entities. Keep one for many requests: it remembers the shapes it met.

    ``attributes``: attribute key (or dotted path in a JSON body) -> entity type.
    ``message_keys``: destination -> entity type of its message keys.
    ``subjects``: CloudEvents type, source, or first path segment -> entity type.
    """

    attributes: Mapping[str, str] = field(default_factory=lambda: dict(_DEFAULT_ATTRIBUTES))
    message_keys: Mapping[str, str] = field(default_factory=dict)
    subjects: Mapping[str, str] = field(default_factory=lambda: dict(_DEFAULT_SUBJECTS))
    _plans: dict[tuple[str, ...], Plan] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def default(cls) -> Rules:
        """The shipped rules: ids of orders, bets, matches, payments and their like."""
        return cls()

    def plan(self, attributes: Attributes) -> Plan:
        """What these attributes can tell, worked out once per sequence of keys."""
        shape = tuple(attributes)
        plan = self._plans.get(shape)
        if plan is None:
            plan = Plan(
                reads=reads(shape),
                named=tuple((key, self.attributes[key]) for key in shape if key in self.attributes),
                declared=tuple(key for key in shape if key.startswith((ENTITY_PREFIX, CONTEXT_PREFIX))),
            )
            if len(shape) <= _SHAPE_KEYS:
                if len(self._plans) >= _SHAPES:
                    self._plans.clear()  # hostile keys must not fill the memory
                self._plans[shape] = plan
        return plan

    def extended(
        self,
        *,
        attributes: Mapping[str, str] | None = None,
        message_keys: Mapping[str, str] | None = None,
        subjects: Mapping[str, str] | None = None,
    ) -> Rules:
        """These rules and others, which win; an empty type takes a rule away."""
        return Rules(
            attributes=_merged(self.attributes, attributes),
            message_keys=_merged(self.message_keys, message_keys),
            subjects=_merged(self.subjects, subjects),
        )


def _merged(old: Mapping[str, str], new: Mapping[str, str] | None) -> dict[str, str]:
    return {key: kind for key, kind in {**old, **(new or {})}.items() if kind}


def entities_of(
    rules: Rules,
    plan: Plan,
    attributes: Attributes,
    *,
    message: Message | None = None,
    event: EventInfo | None = None,
    links: tuple[Link, ...] = (),
    body: Any = None,
) -> tuple[tuple[Entity, ...], tuple[Entity, ...]]:
    """The subjects of a fact and its context (never both), at most 256 of each.

    The links of a batch name the entities of their messages. Values that are no string or integer, or
    longer than 1,024 characters, name nothing; they stay in the attributes.
    """
    subjects: dict[Entity, None] = {}
    context: dict[Entity, None] = {}
    if plan.declared:
        _declared(plan.declared, attributes, subjects, context)
    for link in links:
        if link.attributes:
            _declared(link.attributes, link.attributes, subjects, context)
    if event is not None and event.subject:
        _add(subjects, subject_type(rules, event), subject_name(event.subject))
    for key, kind in plan.named:
        _add(subjects, kind, attributes[key])
    if links or (message is not None and rules.message_keys):
        _by_message_key(rules, message, links, subjects)
    if type(body) is dict:
        for kind, value in _in_body(rules, body):
            _add(subjects, kind, value)
    if not (subjects or context):
        return (), ()
    others = tuple([entity for entity in context if entity not in subjects]) if context else ()
    return tuple(subjects), others


def subject_type(rules: Rules, event: EventInfo) -> str:
    """The entity type of a CloudEvents subject: by rule, by its first path segment, by source."""
    for name in (event.type, event.source):
        if name is not None and name in rules.subjects:
            return rules.subjects[name]
    head, slash, tail = (event.subject or "").strip("/").partition("/")
    if not (slash and head and tail):
        parts = [part for part in _SEPARATORS.split(event.source or "") if part]
        head = parts[-1] if parts else "subject"
    return rules.subjects.get(head, head)


def subject_name(subject: str) -> str:
    """The id in a CloudEvents subject: ``123`` of ``orders/123``, else the whole."""
    head, slash, tail = subject.strip("/").partition("/")
    return tail if slash and head and tail else subject


def _declared(
    keys: Iterable[str], attributes: Attributes, subjects: dict[Entity, None], context: dict[Entity, None]
) -> None:
    for key in keys:
        if key.startswith(ENTITY_PREFIX):
            _add(subjects, key[len(ENTITY_PREFIX) :], attributes[key])
        elif key.startswith(CONTEXT_PREFIX):
            _add(context, key[len(CONTEXT_PREFIX) :], attributes[key])


def _by_message_key(
    rules: Rules, message: Message | None, links: tuple[Link, ...], subjects: dict[Entity, None]
) -> None:
    kind = rules.message_keys.get(message.destination) if message and message.destination else None
    if kind is not None and message is not None:
        _add(subjects, kind, message.key)
    for link in links:
        for key, value in link.attributes.items():
            if key in rules.attributes:
                _add(subjects, rules.attributes[key], value)
            elif kind is not None and key in SOURCES and SOURCES[key].field == "key":
                _add(subjects, kind, value)


def _in_body(rules: Rules, body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Rule keys in a JSON body: as they stand, or as a path through its objects."""
    for key, kind in rules.attributes.items():
        if key in body:
            yield kind, body[key]
        elif "." in key:
            found: Any = body
            for step in key.split("."):
                found = found.get(step) if type(found) is dict else None
            yield kind, found


def _add(into: dict[Entity, None], kind: str, value: Any) -> None:
    if not kind or ":" in kind or len(kind) > MAX_LENGTH:
        return
    if type(value) is str and 0 < len(value) <= MAX_LENGTH and len(into) < MAX_ENTITIES:
        into[Entity(type=kind, id=value)] = None  # what nearly all are
        return
    for one in value if type(value) is list else (value,):
        name = str(one) if type(one) is int else one
        if type(name) is str and 0 < len(name) <= MAX_LENGTH and len(into) < MAX_ENTITIES:
            into[Entity(type=kind, id=name)] = None
