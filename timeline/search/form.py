"""A question as people see it: one chip per top-level condition."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from timeline.search.grammar import Parsed, conditions, parse, without
from timeline.search.names import ATTRIBUTE_ALIASES, FIELD_ALIASES
from timeline.search.syntax import (
    Ast,
    Compare,
    Either,
    Everything,
    Has,
    Pair,
    Range,
    Text,
    Without,
    either,
    every,
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
    types = frozenset(parsed.rules.values())
    made = []
    for index, item in enumerate(conditions(parsed.tree)):
        negated = False
        inner: Ast = item
        while isinstance(inner, Without):
            inner, negated = inner.item, not negated
        label, value = _named(inner, types)
        made.append(Chip(label=label, value=value, negated=negated, without=without(parsed.tree, index)))
    return tuple(made)


class Pick(msgspec.Struct, frozen=True, kw_only=True):
    """The one condition on a ``field`` that says only which ``values`` it may have."""

    field: str
    values: tuple[str, ...]
    rest: str  # the text of the question less this condition


def picks(parsed: Parsed) -> tuple[Pick, ...]:
    """What is picked of which field, as ``service:a`` or ``service:a OR service:b`` pick it.

    A field on which there is a second condition of this kind is not among them.
    """
    found: dict[str, Pick] = {}
    several: set[str] = set()
    for index, item in enumerate(conditions(parsed.tree)):
        pairs = item.items if isinstance(item, Either) else (item,)
        exact = [pair for pair in pairs if isinstance(pair, Pair) and not pair.prefix]
        labels = {_label(pair.key) for pair in exact}
        if len(exact) < len(pairs) or len(labels) > 1:
            continue
        label = labels.pop()
        several |= {label} & found.keys()
        values = tuple(dict.fromkeys(pair.value for pair in exact))
        found[label] = Pick(field=label, values=values, rest=without(parsed.tree, index))
    return tuple(pick for label, pick in found.items() if label not in several)


def picked(pick: Pick, values: Sequence[str]) -> str:
    """The text of the question with these values picked instead; of none, without the condition."""
    rest = conditions(parse(pick.rest).tree)
    kept = [*rest, either([Pair(pick.field, value) for value in values])] if values else rest
    return unparse(every(kept)) if kept else ""


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
        case Either(items):
            labels, values = zip(*(_named(one, types) for one in items), strict=True)
            if len({*labels, "entity"}) == 2 and all(isinstance(one, Pair) for one in items):
                return labels[0], " or ".join(values)
            return "any of", unparse(item)
        case _:
            return "all of", unparse(item)


def _label(key: str) -> str:
    """``topic`` is shown as ``destination``; ``field.`` and ``attribute.`` are not shown."""
    fields = FIELD_ALIASES.get(key.removeprefix("field."), ())
    return fields[0] if len(fields) == 1 else key.removeprefix("attribute.")
