"""A question as people see it: one chip per top-level condition."""

from __future__ import annotations

import msgspec

from timeline.search.grammar import Parsed, without
from timeline.search.names import ATTRIBUTE_ALIASES, FIELD_ALIASES
from timeline.search.syntax import (
    Ast,
    Compare,
    Either,
    Every,
    Everything,
    Has,
    Pair,
    Range,
    Text,
    Without,
    unparse,
)


class Chip(msgspec.Struct, frozen=True, kw_only=True):
    """One top-level condition; ``without`` is the text of the question less it."""

    label: str  # entity, service, an attribute's key, text, has, any of, ...
    value: str
    negated: bool = False
    without: str = ""


def chips(parsed: Parsed) -> tuple[Chip, ...]:
    """The chips of a question in the order written; none for an empty one.

    A key that names a field carries the field's own name, whatever alias was typed; a key that
    the rules know as an entity type is labelled ``entity``, with ``type:id`` as its value.
    """
    tree = parsed.tree
    items = tree.items if isinstance(tree, Every) else () if tree is None else (tree,)
    types = frozenset(parsed.rules.values())
    made = []
    for index, item in enumerate(items):
        negated = False
        inner: Ast = item
        while isinstance(inner, Without):
            inner, negated = inner.item, not negated
        label, value = _named(inner, types)
        made.append(Chip(label=label, value=value, negated=negated, without=without(tree, index)))
    return tuple(made)


def _named(item: Ast, types: frozenset[str]) -> tuple[str, str]:
    match item:
        case Text(text, prefix):
            return "text", text + "*" * prefix
        case Pair(key, value, prefix):
            if key in types and key not in FIELD_ALIASES and key not in ATTRIBUTE_ALIASES:
                return "entity", f"{key}:{value}" + "*" * prefix
            return _label(key), value + "*" * prefix
        case Compare(key, operator, number):
            return _label(key), number if operator == "=" else f"{operator}{number}"
        case Range(key, low, high):
            return _label(key), f"{low}..{high}"
        case Has(key):
            return "has", key
        case Everything():
            return "everything", "*"
        case Either():
            return "any of", unparse(item)
        case _:
            return "all of", unparse(item)


def _label(key: str) -> str:
    """``topic`` is shown as ``destination``; ``field.`` and ``attribute.`` are not shown."""
    fields = FIELD_ALIASES.get(key.removeprefix("field."), ())
    return fields[0] if len(fields) == 1 else key.removeprefix("attribute.")
