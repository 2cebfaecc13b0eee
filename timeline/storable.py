"""What a store takes: facts, and spans that were made ready while they were decoded.

In: nothing. Out: types, and the few things that are asked of either. Not here: who makes them ready.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from timeline.domain import Attributes, Fact, Receipt, Stored


class Ready(Protocol):
    """A span made ready to be stored while it was decoded, as the native decoder makes it: its fact is packed."""

    @property
    def id(self) -> str:
        """As its receipt has it; that is made when it is asked for."""

    @property
    def receipt(self) -> Receipt:
        """As of any fact."""

    @property
    def fact(self) -> Fact:
        """Unpacked anew each time."""

    @property
    def at(self) -> int:
        """When it began (ns)."""

    @property
    def until(self) -> int:
        """When it ended (ns)."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its entities, as ``type:id``."""

    @property
    def maker(self) -> tuple[Attributes, str, str, str]:
        """Resource, service, version and environment of its sender: one object for all of a request."""

    @property
    def kv(self) -> str:
        """Its exact tokens; this and the rest as in ``timeline.store.fields.Draft``."""

    @property
    def text(self) -> str:
        """See there."""

    @property
    def facets(self) -> str:
        """See there."""

    @property
    def packed(self) -> tuple[bytes, bytes]:
        """See there."""

    def marked(self, **receipt: Any) -> Stored:
        """The fact with another receipt."""

    def run(self, facts: list[Storable], start: int) -> tuple[int, int, bool, list[str]]:
        """See ``Run``: of those from ``start`` on, which this one is; how many, and the rest."""


Storable = Stored | Ready
"""What a store takes."""


class Run(NamedTuple):
    """So many facts of one maker that follow each other."""

    first: Storable
    size: int
    until: int | None  # ns: when the last was over, or when it happened
    sampled: bool  # whether any says that its sender samples
    names: Sequence[str]  # their entities, as type:id, each once


def runs(facts: list[Storable]) -> Iterator[Run]:
    """All these facts, in order."""
    start = 0
    while start < len(facts):
        first = facts[start]
        if isinstance(first, Stored):
            run = Run(first, 1, first.fact.until or first.fact.at, first.receipt.sampled, names_of(first))
        else:
            run = Run(first, *first.run(facts, start))
        yield run
        start += run.size


def id_of(stored: Storable) -> str:
    """The id of a fact."""
    return stored.receipt.id if isinstance(stored, Stored) else stored.id


def names_of(stored: Storable) -> tuple[str, ...]:
    """The entities of a fact, as ``type:id``."""
    if isinstance(stored, Stored):
        return tuple([f"{entity.type}:{entity.id}" for entity in stored.fact.entities])
    return stored.names


def maker_of(stored: Storable) -> tuple[Attributes, str, str, str]:
    """Resource, service, version and environment of who made a fact."""
    if isinstance(stored, Stored):
        fact = stored.fact
        return fact.resource, fact.service, fact.version, fact.environment
    return stored.maker
