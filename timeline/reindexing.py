"""From one store to another, without loss, while the first goes on.

Facts are walked in the order in which they were received, slice by slice, so that what
arrives meanwhile lies ahead. Writing is by identity: a slice may be copied again after any
interruption. In the end both stores are counted, slice by slice, and what differs is copied
once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from timeline.domain import Stored
from timeline.errors import StoreUnavailable
from timeline.search.query import All, Query, Window
from timeline.store.port import Store

SLICE: Final = 50_000  # facts between two checkpoints
BATCH: Final = 5_000  # facts a write
_REMEMBERED: Final = 200_000  # entities whose summaries were copied already


class Slice(msgspec.Struct, frozen=True):
    """Facts received in ``start <= t < end`` (ns)."""

    start: int
    end: int
    facts: int


class Copied(msgspec.Struct):
    """What a copy came to, by what the other store said of each fact."""

    stored: int = 0
    already: int = 0
    refused: int = 0
    reasons: dict[str, str] = msgspec.field(default_factory=dict)  # of the first few, by fact id

    @property
    def facts(self) -> int:
        """All that were read."""
        return self.stored + self.already + self.refused


def slices(store: Store, workspace: str, start: int, end: int, *, most: int = SLICE) -> Iterator[Slice]:
    """Slices of at most ``most`` facts (but for those received in one ns), the earliest first; none is
    empty."""
    ahead = [(start, end)]
    while ahead:
        low, high = ahead.pop()
        facts = held(store, workspace, low, high)
        if facts and (facts <= most or high - low <= 1):
            yield Slice(low, high, facts)
        elif facts:
            middle = (low + high) // 2
            ahead += [(middle, high), (low, middle)]


def held(store: Store, workspace: str, start: int, end: int) -> int:
    """How many facts received in this range a store holds, variants included."""
    count = store.count(_received(workspace, start, end))
    if count.partial:
        raise StoreUnavailable(f"the store counted in part: {count.partial[0]}", remedy="run it again")
    return count.value + count.variants


def facts_of(store: Store, workspace: str, part: Slice) -> Iterator[list[Stored]]:
    """The facts of a slice, in batches."""
    facts = store.facts_of(_received(workspace, part.start, part.end))
    while batch := list(islice(facts, BATCH)):
        yield batch


class Move:
    """Copies one workspace from ``source`` to ``target``; may be stopped and repeated at any point."""

    def __init__(self, source: Store, target: Store, workspace: str) -> None:
        self._source, self._target, self._workspace = source, target, workspace
        self._summarised: dict[str, None] = {}
        self.copied = Copied()

    def copy(self, start: int, end: int, *, done: Callable[[Slice], None] = lambda _: None) -> None:
        """Copy what was received in ``start <= t < end``; ``done`` is told of each slice when it is durable
        and visible in the target."""
        for part in slices(self._source, self._workspace, start, end):
            self._copy(part)
            done(part)

    def _copy(self, part: Slice) -> None:
        for batch in facts_of(self._source, self._workspace, part):
            for report in self._target.write(batch, visible=True):
                if report.outcome == "refused":
                    self.copied.refused += 1
                    if len(self.copied.reasons) < 10:
                        self.copied.reasons[report.id] = report.reason
                elif report.outcome == "already":
                    self.copied.already += 1
                else:
                    self.copied.stored += 1
            self._copy_summaries(batch)

    def _copy_summaries(self, batch: Sequence[Stored]) -> None:
        """Those of the entities the facts are about: they know steps whose facts are gone."""
        names = dict.fromkeys(str(entity) for stored in batch for entity in stored.fact.entities)
        new = [name for name in names if name not in self._summarised]
        if len(self._summarised) > _REMEMBERED:
            self._summarised.clear()
        self._summarised.update(dict.fromkeys(new))
        found = self._source.summaries(new, workspace=self._workspace) if new else []
        self._target.put_summaries([summary for summary in found if summary is not None])

    def differences(self, start: int, end: int) -> Iterator[Slice]:
        """Slices in which the target holds fewer facts than the source, each copied once more first.

        That the target holds more is no difference: the source may have let facts expire since.
        """
        for part in slices(self._source, self._workspace, start, end):
            if part.facts == held(self._target, self._workspace, part.start, part.end):
                continue
            self._copy(part)
            here, there = (
                held(store, self._workspace, part.start, part.end) for store in (self._source, self._target)
            )
            if here > there:
                yield part


def _received(workspace: str, start: int, end: int) -> Query:
    return Query(where=All(), window=Window(start=start, end=end, on="received"), workspace=workspace)
