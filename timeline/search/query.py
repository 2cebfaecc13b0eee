"""The typed tree that every question becomes, and that every store compiles.

Leaves name either a built-in field (``FIELDS``) or an attribute key. A store never
sees the text a person typed, and no engine syntax ever comes from input.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from timeline.domain import Entity

Keyword = Literal["keyword"]

# field -> how it is compared. Keywords are exact; numbers take ranges.
FIELDS: dict[str, Literal["keyword", "number"]] = {
    "id": "keyword",  # fact id
    "identity": "keyword",
    "event_id": "keyword",
    "type": "keyword",  # event type
    "service": "keyword",
    "name": "keyword",
    "fact": "keyword",  # span | event
    "span_kind": "keyword",
    "status": "keyword",
    "destination": "keyword",
    "environment": "keyword",
    "trace_id": "keyword",
    "span_id": "keyword",
    "parent_id": "keyword",
    "correlation_id": "keyword",
    "causation_id": "keyword",
    "link": "keyword",  # trace id, or trace id + "/" + span id, of each span link
    "duration": "number",  # ns
}
# fields with facet counts over every match; other keys are counted on a sample
FACETS = ("fact", "type", "service", "name", "destination", "status", "span_kind", "environment")


class _Node(msgspec.Struct, frozen=True, tag=True):
    """Base of the tree."""


class All(_Node, frozen=True):
    """Matches every fact."""


class FieldIs(_Node, frozen=True):
    """The built-in keyword field equals ``value``, at any length."""

    field: str
    value: str


class FieldStarts(_Node, frozen=True):
    """The built-in keyword field starts with ``prefix`` (at most 256 characters)."""

    field: str
    prefix: str


class FieldBetween(_Node, frozen=True):
    """The built-in number lies in the range; ``None`` leaves a side open."""

    field: str
    low: float | None = None
    high: float | None = None
    low_open: bool = False  # True: greater than; False: at least
    high_open: bool = False


class AttributeIs(_Node, frozen=True):
    """Any attribute, resource, scope, link or annotation attribute, body leaf or
    promoted fact named ``key`` has this value (compared as text), at any length."""

    key: str
    value: str


class AttributeStarts(_Node, frozen=True):
    """As ``AttributeIs``, for values starting with ``prefix`` (at most 200 characters)."""

    key: str
    prefix: str


class AttributeBetween(_Node, frozen=True):
    """A numeric attribute lies in the range; ``None`` leaves a side open."""

    key: str
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False


class AttributeExists(_Node, frozen=True):
    """The fact has the attribute at all."""

    key: str


class ValueIs(_Node, frozen=True):
    """Any key holds this id-shaped value."""

    value: str


class EntityIs(_Node, frozen=True):
    """The fact is about this entity; with ``context``, also where it only came along."""

    entity: Entity
    context: bool = False


class Words(_Node, frozen=True):
    """Free text: all words, or with ``phrase`` the words next to each other in order.
    ``words`` come from ``search.tokens.words``; with ``prefix`` the last is a prefix."""

    words: tuple[str, ...]
    phrase: bool = False
    prefix: bool = False


class And(_Node, frozen=True):
    """Every item matches; empty matches all."""

    items: tuple[Node, ...]


class Or(_Node, frozen=True):
    """At least one item matches; empty matches none."""

    items: tuple[Node, ...]


class Not(_Node, frozen=True):
    """The item does not match."""

    item: Node


Node: TypeAlias = (
    All
    | FieldIs
    | FieldStarts
    | FieldBetween
    | AttributeIs
    | AttributeStarts
    | AttributeBetween
    | AttributeExists
    | ValueIs
    | EntityIs
    | Words
    | And
    | Or
    | Not
)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A half-open range of ns, ``start <= t < end``; ``None`` leaves a side open.

    ``on`` says which clock is asked: ``event`` the fact's own time, where a fact without
    a usable one (no time, or a year outside 2000-2099) goes by its received time;
    ``received`` the time we took it; ``either`` matches where one of the two does.
    """

    start: int | None = None
    end: int | None = None
    on: Literal["event", "received", "either"] = "event"


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One question to a store. The workspace is added by the store in one place."""

    where: Node
    window: Window = Window()
    workspace: str = "main"
