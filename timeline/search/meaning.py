"""What a written question means: every reading of every clause, as nodes that stores compile.

``key:value`` may name a built-in field, an attribute or an entity type; a bare word may be
text or an id. All readings are asked at once (``Or``) and each can be asked alone, so that
a page can say which of them matched. Nothing here looks at facts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from timeline.domain import Entity
from timeline.errors import BadQuery
from timeline.search.names import ATTRIBUTE_ALIASES, CURRENT_NAMES, FIELD_ALIASES, LOWER_CASE
from timeline.search.query import (
    FIELDS,
    All,
    And,
    AttributeBetween,
    AttributeExists,
    AttributeIs,
    AttributeStarts,
    EntityIs,
    FieldBetween,
    FieldIs,
    FieldStarts,
    Node,
    Not,
    Or,
    ValueIs,
    Words,
)
from timeline.search.syntax import (
    NUMBER,
    Ast,
    Compare,
    Either,
    Every,
    Everything,
    Has,
    Leaf,
    Pair,
    Range,
    Text,
    Without,
    quote,
    unparse,
    write_inner,
)
from timeline.search.times import DURATION_REMEDY, parse_duration
from timeline.search.tokens import id_shaped
from timeline.search.words import plain, words

MAX_WORDS: Final = 100  # of one phrase
MAX_PREFIX: Final = 200  # characters before a star
MAX_READINGS: Final = 24
_ALONE = frozenset({"entity", "context", "words", "anywhere"})
_EXACT = 2**53  # integers up to here are doubles without loss
_HEX32, _HEX16 = re.compile(r"[0-9a-fA-F]{32}"), re.compile(r"[0-9a-fA-F]{16}")
_FACT_ID = re.compile(r"[A-Za-z0-9_-]{20}")
_FACTS, _SPAN_KINDS = (
    ("span", "event"),
    ("internal", "server", "client", "producer", "consumer", "unspecified"),
)


class Reading(NamedTuple):
    """One meaning: how to name it, the question it asks, and the text that asks it alone."""

    label: str
    node: Node
    text: str
    at: int | None = None  # ns: a moment that stood beside it in what was pasted


def to_node(tree: Ast | None, rules: Mapping[str, str]) -> Node:
    """The question that ``tree`` asks with all its readings; ``None`` asks for everything.

    ``rules`` maps attribute keys to entity types. Raises ``BadQuery`` with the clause's
    column where a clause has no meaning.
    """
    if tree is None or isinstance(tree, Everything):
        return All()
    if isinstance(tree, Every):
        return And(tuple(to_node(item, rules) for item in tree.items))
    if isinstance(tree, Either):
        return Or(tuple(to_node(item, rules) for item in tree.items))
    if isinstance(tree, Without):
        return Not(to_node(tree.item, rules))
    nodes = tuple(reading.node for reading in leaf_readings(tree, rules))
    return nodes[0] if len(nodes) == 1 else Or(nodes)


def readings(tree: Ast | None, rules: Mapping[str, str] | None = None) -> list[Reading]:
    """Each reading of each ambiguous top-level clause, asked within the rest of the question.

    At most 24; empty where every clause has one meaning. Counting the nodes says which
    readings matched.
    """
    rules = rules or {}
    items = tree.items if isinstance(tree, Every) else () if tree is None else (tree,)
    found: list[Reading] = []
    for index, item in enumerate(items):
        if isinstance(item, Without | Every | Either):
            continue
        alternatives = leaf_readings(item, rules)
        if len(alternatives) < 2:
            continue
        before, after = items[:index], items[index + 1 :]
        for label, node, text, _ in alternatives:
            if len(items) > 1:
                around = (
                    [to_node(other, rules) for other in before],
                    [to_node(other, rules) for other in after],
                )
                node = And((*around[0], node, *around[1]))
                text = " ".join([*map(write_inner, before), text, *map(write_inner, after)])
            found.append(Reading(label, node, text))
    return found[:MAX_READINGS]


def leaf_readings(leaf: Leaf, rules: Mapping[str, str]) -> list[Reading]:
    """Every meaning of one clause, likeliest first, without repeats; never empty."""
    match leaf:
        case Text():
            found = _text(leaf)
        case Pair():
            found = _pair(leaf, rules)
        case Compare() | Range():
            found = _numbers(leaf)
        case Has():
            found = _has(leaf, rules)
        case _:
            found = iter((Reading("everything", All(), "*"),))
    unique: dict[Node, Reading] = {}
    for reading in found:
        unique.setdefault(reading.node, reading)
    return list(unique.values())


def is_duration(key: str) -> bool:
    """Whether numbers of this key are lengths of time."""
    return key in ("duration", "field.duration")


def takes_numbers(key: str) -> bool:
    """Whether ``key=5`` compares numbers: everywhere but on fields that hold words."""
    return is_duration(key) or (
        key not in FIELD_ALIASES and key not in _ALONE and _rest(key, "field.") is None
    )


def _text(leaf: Text) -> Iterator[Reading]:
    text = leaf.text
    if leaf.prefix:
        _bound_prefix(leaf, text)
    single = not re.search(r"\s", text)
    if single and not leaf.prefix:
        if _HEX32.fullmatch(text):
            yield _field("trace_id", text, label="trace")
        if _HEX16.fullmatch(text):
            yield _field("span_id", text, label="span")
        if _FACT_ID.fullmatch(text) and id_shaped(text):
            yield _field("id", text, label="fact id")
    if single:
        node = FieldStarts("event_id", text) if leaf.prefix else FieldIs("event_id", text)
        yield Reading("event id", node, unparse(Pair("field.event_id", text, leaf.prefix)))
    if single and not leaf.prefix and id_shaped(text):
        yield Reading("any id", ValueIs(text), unparse(Pair("anywhere", text)))
    yield Reading("text", _words(leaf, text, prefix=leaf.prefix), unparse(Pair("words", text, leaf.prefix)))


def _words(leaf: Leaf, text: str, *, prefix: bool) -> Words:
    found = words(text)
    pieces = plain(found)
    if not pieces:
        raise _bad(
            leaf,
            f"{quote(text)} holds no word that could be searched",
            "Leave it out, or ask for it as a value: key:" + quote(text),
        )
    if len(found) > MAX_WORDS:
        raise _bad(
            leaf, f"this phrase has {len(found):,} words", f"Search for at most {MAX_WORDS} words in a row."
        )
    if prefix or len(pieces) > 1:
        return Words(tuple(pieces), phrase=len(pieces) > 1, prefix=prefix)
    return Words(tuple(found))


def _pair(leaf: Pair, rules: Mapping[str, str]) -> Iterator[Reading]:
    key, value = leaf.key, leaf.value
    if leaf.prefix:
        _bound_prefix(leaf, value)
    if is_duration(key):
        raise _bad(leaf, f"{quote(value)} is not a length of time", DURATION_REMEDY)
    alone = _asked_alone(leaf, rules)
    if alone is not None:
        yield from alone
        return
    for field in _fields_of(key, value):
        yield _field(field, value, prefix=leaf.prefix)
    for name in ATTRIBUTE_ALIASES.get(key, ()):
        yield _attribute(name, value, prefix=leaf.prefix)
    if not leaf.prefix and _entity(key, value) is not None:
        yield Reading(
            "entity", EntityIs(Entity(type=key, id=value)), unparse(Pair("entity", f"{key}:{value}"))
        )
    for name in _rule_keys(key, rules):
        yield _attribute(name, value, prefix=leaf.prefix)
    yield _attribute(key, value, prefix=leaf.prefix)
    if key in CURRENT_NAMES:
        yield _attribute(CURRENT_NAMES[key], value, prefix=leaf.prefix)


def _asked_alone(leaf: Pair, rules: Mapping[str, str]) -> list[Reading] | None:
    """The one reading that a key such as ``attribute.x`` or ``entity`` asks for, if it is such a key."""
    key, value = leaf.key, leaf.value
    if name := _rest(key, "attribute."):
        return [_attribute(name, value, prefix=leaf.prefix)]
    if name := _rest(key, "field."):
        if FIELDS.get(name) != "keyword":
            raise _bad(leaf, f"there is no field {quote(name)}", "The fields are " + ", ".join(FIELDS) + ".")
        return [_field(name, value, prefix=leaf.prefix)]
    if key == "words":
        return [Reading("text", _words(leaf, value, prefix=leaf.prefix), unparse(leaf))]
    if key == "anywhere":
        if leaf.prefix:
            raise _bad(
                leaf, "anywhere takes a whole value", "Leave the star out, or name the key: key:start*"
            )
        return [Reading("any id", ValueIs(value), unparse(leaf))]
    if key not in ("entity", "context"):
        return None
    kind, _, name = value.partition(":")
    entity = _entity(kind, name)
    if entity is None:
        return None
    if leaf.prefix:
        raise _bad(leaf, "an entity is asked for whole", f"Leave the star out, or ask {quote(kind)}:start*")
    if key == "context":
        return [Reading("entity or context", EntityIs(entity, context=True), unparse(leaf))]
    # A rule written today also finds what was stored before it: its attribute is asked too.
    parts: list[Node] = [EntityIs(entity), *(AttributeIs(rule, name) for rule in _rule_keys(kind, rules))]
    return [Reading("entity", parts[0] if len(parts) == 1 else Or(tuple(parts)), unparse(leaf))]


def _numbers(leaf: Compare | Range) -> Iterator[Reading]:
    low, high, low_open, high_open = _bounds(leaf)
    if is_duration(leaf.key):
        yield Reading("duration", FieldBetween("duration", low, high, low_open, high_open), unparse(leaf))
        return
    name = _rest(leaf.key, "attribute.")
    if name is None and (leaf.key in FIELD_ALIASES or _rest(leaf.key, "field.")):
        raise _bad(
            leaf,
            f"{quote(leaf.key)} is not a number",
            "Ask for a value, key:value, or for a number of your own, attribute.key>5",
        )
    for key in (name,) if name else (*ATTRIBUTE_ALIASES.get(leaf.key, ()), leaf.key):
        node: Node = AttributeBetween(key, low, high, low_open, high_open)
        if isinstance(leaf, Compare) and leaf.operator == "=":
            same = AttributeIs(key, leaf.number)
            # Beyond 2**53 neighbouring integers share a double: only the digits can tell them apart.
            node = Or((same, node)) if low is not None and abs(low) <= _EXACT else same
        yield Reading(f"attribute {key}", node, unparse(replace(leaf, key=f"attribute.{key}")))


def _bounds(leaf: Compare | Range) -> tuple[float | None, float | None, bool, bool]:
    if isinstance(leaf, Compare):
        number, operator = _number(leaf, leaf.number), leaf.operator
        low = number if operator in (">", ">=", "=") else None
        high = number if operator in ("<", "<=", "=") else None
        return low, high, operator == ">", operator == "<"
    low, high = (None if not side else _number(leaf, side) for side in (leaf.low, leaf.high))
    if low is not None and high is not None and low > high:
        raise _bad(
            leaf, "this range runs backwards", f"Write the smaller number first: {leaf.high}..{leaf.low}"
        )
    return low, high, False, False


def _has(leaf: Has, rules: Mapping[str, str]) -> Iterator[Reading]:
    key = leaf.key
    if name := _rest(key, "attribute."):
        yield Reading(f"attribute {name}", AttributeExists(name), unparse(leaf))
        return
    for field in FIELD_ALIASES.get(_rest(key, "field.") or key, ()):
        node = FieldBetween(field, low=0) if FIELDS[field] == "number" else FieldStarts(field, "")
        yield Reading(field, node, f"has:field.{field}")
    if key.startswith("field."):
        return
    for name in (*ATTRIBUTE_ALIASES.get(key, ()), *_rule_keys(key, rules), key):
        yield Reading(f"attribute {name}", AttributeExists(name), unparse(Has(f"attribute.{name}")))


def _number(leaf: Leaf, text: str) -> float:
    """The number as an int where it is one of 64 bits, else as a double; a duration in ns."""
    if isinstance(leaf, Compare | Range) and is_duration(leaf.key):
        try:
            return parse_duration(text)
        except BadQuery as error:
            raise _bad(leaf, error.message, error.remedy) from error
    if not NUMBER.fullmatch(text):
        raise _bad(
            leaf, f"{quote(text)} is not a number", "Compare with a number, or ask for a value: key:value"
        )
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    number = float(text)
    if math.isinf(number):
        raise _bad(leaf, f"{quote(text)} is too large a number", "Numbers reach from -1.7e308 to 1.7e308.")
    return number


def _field(field: str, value: str, *, prefix: bool = False, label: str = "") -> Reading:
    value = value.lower() if field in LOWER_CASE else value
    node = FieldStarts(field, value) if prefix else FieldIs(field, value)
    return Reading(label or field, node, unparse(Pair(f"field.{field}", value, prefix)))


def _attribute(key: str, value: str, *, prefix: bool) -> Reading:
    node = AttributeStarts(key, value) if prefix else AttributeIs(key, value)
    return Reading(f"attribute {key}", node, unparse(Pair(f"attribute.{key}", value, prefix)))


def _fields_of(key: str, value: str) -> tuple[str, ...]:
    """The keyword fields that ``key`` may name; ``kind`` goes by what the value can be."""
    if key == "kind":
        if value in _FACTS:
            return ("fact",)
        if value in _SPAN_KINDS:
            return ("span_kind",)
    return FIELD_ALIASES.get(key, ())


def _entity(kind: str, name: str) -> Entity | None:
    return Entity(type=kind, id=name) if kind and name and ":" not in kind else None


def _rule_keys(kind: str, rules: Mapping[str, str]) -> list[str]:
    """The attributes from which rules make entities of this type."""
    return [key for key, type_ in rules.items() if type_ == kind]


def _rest(key: str, start: str) -> str | None:
    """What follows ``start`` in ``key``; ``None`` where it does not start so or nothing follows."""
    return key[len(start) :] or None if key.startswith(start) else None


def _bound_prefix(leaf: Leaf, text: str) -> None:
    if len(text) > MAX_PREFIX:
        raise _bad(
            leaf,
            f"the part before the star has {len(text):,} characters",
            f"Keep at most {MAX_PREFIX} before a star, or give the whole value without one.",
        )


def _bad(leaf: Leaf, message: str, remedy: str) -> BadQuery:
    return BadQuery(message, column=leaf.at[0] + 1, remedy=remedy)
