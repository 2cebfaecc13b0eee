"""Questions about what was redacted: a hashed value is found by its plain one, and where a rule has taken
away what is asked for, the answer says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from timeline.domain import Entity
from timeline.redaction.detectors import DETECTORS
from timeline.redaction.rules import Redaction, Rule
from timeline.search.query import (
    And,
    AttributeBetween,
    AttributeExists,
    AttributeIs,
    AttributeStarts,
    EntityIs,
    FieldIs,
    Node,
    Not,
    Or,
    ValueIs,
    Window,
)

_LATE: Final = 3600 * 10**9  # ns that facts may come after their own time


class Term(msgspec.Struct, frozen=True):
    """A rule and how long it was in force (ns); ``end`` is ``None`` for one that is."""

    rule: Rule
    start: int
    end: int | None = None


class Asking:
    """The rules of a workspace as a question meets them, those that ended included."""

    def __init__(self, terms: Iterable[Term], salt: bytes) -> None:
        self._terms = tuple(terms)
        # each alone, to tell whether it names a key; a rule that is looked up again was compiled here
        self._alone = {term.rule.number: Redaction((term.rule,), salt) for term in self._terms}
        # what tells events apart is hashed by every rule, so every rule is looked through
        hashing = [msgspec.structs.replace(term.rule, action="hash") for term in self._terms]
        self._hashing = Redaction(hashing, salt) if hashing else None
        self._whole = any(rule.by == "attribute" for rule in hashing)

    def __bool__(self) -> bool:
        return self._hashing is not None

    def text(self, text: str) -> str:
        """The question with the secrets in it as hashes."""
        return self._hashing.text(text) if self._hashing else text

    def too(self, node: Node) -> Node:
        """The question, asking for the hash of each value beside the value."""
        if self._hashing is None:
            return node
        match node:
            case And(items):
                return And(tuple(self.too(item) for item in items))
            case Or(items):
                return Or(tuple(self.too(item) for item in items))
            case Not(item):
                return Not(self.too(item))
            case AttributeIs(key, value):
                return self._either(node, (AttributeIs(key, one) for one in self._values(key, value)))
            case ValueIs(value):
                return self._either(node, (ValueIs(one) for one in self._values("", value)))
            case FieldIs(field, value):
                return self._either(node, (FieldIs(field, one) for one in self._values("", value)))
            case EntityIs(entity, context):
                return self._either(node, (EntityIs(one, context) for one in self.entities(entity)))
            case _:
                return node

    def entities(self, entity: Entity) -> Iterator[Entity]:
        """What a rule may have made of an entity's id."""
        if self._hashing is not None:
            yield from (Entity(type=entity.type, id=one) for one in self._values("", entity.id))

    def hidden(
        self, node: Node, text: str, window: Window, types: Mapping[str, str]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What a rule that drops or masks took away of what is asked for, and what it may have taken away
        unasked: attributes that only a question for any value would look at.

        ``types`` tells the entity type that an attribute names.
        """
        named: list[str] = []
        unlooked: list[str] = []
        keys = tuple(_keys(node, types))
        for term in self._in_force(window):
            rule = term.rule
            if rule.by == "detector":
                if any(DETECTORS[rule.match].find(text)):
                    named.append(DETECTORS[rule.match].noun)
            elif any(self._alone[rule.number].named_by_path(key) for key in keys):
                named.append(rule.match)
            else:
                unlooked.append(rule.match)
        return tuple(dict.fromkeys(named)), tuple(dict.fromkeys(unlooked))

    def _in_force(self, window: Window) -> Iterator[Term]:
        for term in self._terms:
            begun = window.end is None or term.start < window.end + _LATE
            lasted = term.end is None or window.start is None or term.end > window.start
            if term.rule.action != "hash" and begun and lasted:
                yield term

    def _values(self, key: str, value: str) -> Iterator[str]:
        """What may stand for a value; any rule of an attribute may, where the key is not known."""
        assert self._hashing is not None  # noqa: S101 - asked only then
        if self._hashing.named_by_path(key) if key else self._whole:
            yield self._hashing.hashed(value)
        if (inside := self._hashing.text(value)) != value:
            yield inside

    def _either(self, node: Node, others: Iterable[Node]) -> Node:
        more = tuple(others)
        return Or((node, *more)) if more else node


NOTHING: Final = Asking((), b"")
"""No rule was ever made."""


def _keys(node: Node, types: Mapping[str, str]) -> Iterator[str]:
    match node:
        case And(items) | Or(items):
            for item in items:
                yield from _keys(item, types)
        case Not(item):
            yield from _keys(item, types)
        case AttributeIs(key) | AttributeStarts(key) | AttributeExists(key):
            yield key
        case AttributeBetween():
            yield node.key
        case EntityIs(entity):
            yield from (key for key, type_ in types.items() if type_ == entity.type)
        case _:
            return
