"""The language of questions: from text to a typed tree, and back.

``parse`` reads what a person typed; every fault is a ``BadQuery`` with a 1-based column
and a remedy. ``docs/searching.md`` describes the language. Reading takes time linear in
the text, which is at most 8 KiB, 200 clauses and 50 levels deep.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from timeline.errors import BadQuery
from timeline.search import meaning
from timeline.search.meaning import Reading
from timeline.search.parser import MAX_CLAUSES, MAX_DEPTH, Parser
from timeline.search.query import Node
from timeline.search.syntax import (
    Ast,
    Every,
    every,
    unparse,
)

__all__ = [
    "MAX_BYTES",
    "MAX_CLAUSES",
    "MAX_DEPTH",
    "Parsed",
    "conditions",
    "parse",
    "readings",
    "unparse",
    "without",
]

MAX_BYTES: Final = 8 * 1024


@dataclass(frozen=True)
class Parsed:
    """A question that was understood: its text, its tree and what it asks."""

    text: str
    tree: Ast | None  # None for an empty text, which asks for everything
    rules: Mapping[str, str] = field(default_factory=dict)

    def to_node(self) -> Node:
        """The tree that stores compile, all readings of every clause included."""
        return meaning.to_node(self.tree, self.rules)

    def readings(self) -> list[Reading]:
        """Each reading of each ambiguous clause: label, node to count, text asking it alone."""
        return meaning.readings(self.tree, self.rules)


def parse(text: str, *, rules: Mapping[str, str] | None = None) -> Parsed:
    """Read ``text``; ``rules`` maps attribute keys to entity types.

    Raises ``BadQuery``, and nothing else, for any text that is not a question.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise BadQuery(
            "this character is not valid Unicode", column=error.start + 1, remedy="Take the character out."
        ) from error
    if size > MAX_BYTES:
        raise BadQuery(
            f"the question has {size:,} bytes; at most {MAX_BYTES:,} are read",
            column=1,
            remedy="Ask for fewer things at once, or send a list of ids to /api/v1/seen.",
        )
    parsed = Parsed(text, Parser(text).question(), dict(rules or {}))
    parsed.to_node()  # a clause without a meaning is a fault of the text, so it shows here
    return parsed


def readings(tree: Ast | None, rules: Mapping[str, str] | None = None) -> list[Reading]:
    """As ``Parsed.readings``, for a tree."""
    return meaning.readings(tree, rules)


def without(tree: Ast | None, index: int) -> str:
    """The text of the question less its top-level condition number ``index`` (from 0)."""
    items = conditions(tree)
    del items[index]
    return unparse(every(items)) if items else ""


def conditions(tree: Ast | None) -> list[Ast]:
    """The top-level conditions, all of which must hold."""
    return list(tree.items) if isinstance(tree, Every) else [] if tree is None else [tree]
