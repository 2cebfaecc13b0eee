"""The tree of a question as it was written, and how it is written down again.

``grammar.parse`` makes it, ``meaning`` gives it its readings, ``unparse`` writes the
canonical text. Equality ignores positions, so ``parse(unparse(tree)) == tree``.
Canonical trees hold no group directly inside a group of the same kind and no group of
one item; ``every`` and ``either`` keep to that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Operator = Literal[">", ">=", "<", "<=", "="]
Position: TypeAlias = tuple[int, int]  # half-open, 0-based, in characters of the text
NOWHERE: Position = (0, 0)


@dataclass(frozen=True, slots=True)
class _Part:
    """Base of the tree: ``at`` is where it stood in the text."""

    at: Position = field(default=NOWHERE, compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Text(_Part):
    """A word, or several in quotes; ``prefix`` where a star followed."""

    text: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Pair(_Part):
    """``key:value``; with ``prefix``, ``key:value*``."""

    key: str
    value: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Compare(_Part):
    """``key>number``; ``number`` as written, with a unit for ``duration``."""

    key: str
    operator: Operator
    number: str


@dataclass(frozen=True, slots=True)
class Range(_Part):
    """``key:low..high``, both ends included; an empty side is open."""

    key: str
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Has(_Part):
    """``has:key``, also written ``key:*``."""

    key: str


@dataclass(frozen=True, slots=True)
class Everything(_Part):
    """``*``: every fact."""


@dataclass(frozen=True, slots=True)
class Without(_Part):
    """``NOT item``, also written ``-item``."""

    item: Ast


@dataclass(frozen=True, slots=True)
class Every(_Part):
    """Items side by side, or joined by ``AND``."""

    items: tuple[Ast, ...]


@dataclass(frozen=True, slots=True)
class Either(_Part):
    """Items joined by ``OR``."""

    items: tuple[Ast, ...]


Leaf: TypeAlias = Text | Pair | Compare | Range | Has | Everything
Ast: TypeAlias = Leaf | Without | Every | Either

NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")
DURATION = re.compile(r"(?:[0-9]{1,20}(?:\.[0-9]{1,20})?(?:ns|us|µs|μs|ms|min|s|m|h|d|w))+")
RANGE = re.compile(r"(.*?)\.\.(.*)", re.DOTALL)
_BARE_KEY = re.compile(r"[A-Za-z_][\w.\-/@$#%&+~]*")
_BARE_VALUE = re.compile(r"[^\s\"()*\\]+")
_BARE_TEXT = re.compile(r"[\w.#@$%&/+~][\w.#@$%&/+~\-]*")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_RESERVED = frozenset({"AND", "OR", "NOT", "has"})


def every(items: Iterable[Ast], at: Position = NOWHERE) -> Ast:
    """All of ``items`` (not empty), flattened; one item stands for itself."""
    flat = _flat(items, Every)
    return flat[0] if len(flat) == 1 else Every(tuple(flat), at=at)


def either(items: Iterable[Ast], at: Position = NOWHERE) -> Ast:
    """At least one of ``items`` (not empty), flattened."""
    flat = _flat(items, Either)
    return flat[0] if len(flat) == 1 else Either(tuple(flat), at=at)


def unparse(tree: Ast | None) -> str:
    """The canonical text of ``tree``; empty for ``None``. Parsing it gives an equal tree."""
    if tree is None:
        return ""
    if isinstance(tree, Every):
        return " ".join(write_inner(item) for item in tree.items)
    if isinstance(tree, Either):
        return " OR ".join(write_inner(item) for item in tree.items)
    if isinstance(tree, Without):
        return f"NOT {write_inner(tree.item)}"
    return _leaf(tree)


def quote(text: str) -> str:
    """``text`` in quotes, with escapes for quotes, backslashes and line ends."""
    return '"' + "".join(_ESCAPES.get(character, character) for character in text) + '"'


def write_key(key: str) -> str:
    """``key`` as it stands before a colon: quoted where it must be."""
    return key if _BARE_KEY.fullmatch(key) and key not in _RESERVED else quote(key)


def write_value(value: str) -> str:
    """``value`` as it stands after a colon: quoted where it would read as something else."""
    plain = (
        _BARE_VALUE.fullmatch(value)
        and not value.startswith(("//", ">", "<", "=", "!"))
        and ".." not in value
        and value.isprintable()
    )
    return value if plain else quote(value)


def is_url_tail(value: str) -> bool:
    """Whether what follows a colon makes the whole a web address rather than a pair."""
    return value.startswith("//")


def _leaf(leaf: Leaf) -> str:
    match leaf:
        case Text(text, prefix):
            bare = _BARE_TEXT.fullmatch(text) and text not in _RESERVED and text.isprintable()
            return (text if bare else quote(text)) + "*" * prefix
        case Pair(key, value, prefix):
            return f"{write_key(key)}:{write_value(value)}{'*' * prefix}"
        case Compare(key, operator, number):
            return f"{write_key(key)}{operator}{number}"
        case Range(key, low, high):
            return f"{write_key(key)}:{low}..{high}"
        case Has(key):
            return f"has:{write_key(key)}"
        case _:
            return "*"


def write_inner(item: Ast) -> str:
    """``item`` as it stands inside a larger question: groups in parentheses."""
    text = unparse(item)
    return f"({text})" if isinstance(item, Every | Either) else text


def _flat(items: Iterable[Ast], kind: type[Every | Either]) -> list[Ast]:
    flat: list[Ast] = []
    for item in items:
        if isinstance(item, kind):
            flat.extend(item.items)
        else:
            flat.append(item)
    return flat
