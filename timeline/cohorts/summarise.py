"""Keeping summaries up with the facts: what was noted as touched is read again and put.

Every step may be repeated, and a note is dropped only after its summaries are durable.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from timeline.cohorts.steps import step_name
from timeline.cohorts.summary import MAX_STEPS, Tally, names, ordered, summarise
from timeline.domain import Entity, Row
from timeline.errors import StoreUnavailable
from timeline.inbox.dirty import Touched
from timeline.inbox.inbox import Inbox
from timeline.search.query import And, EntityIs, FieldIs, Node, Or, Query
from timeline.store.port import Count, StepSeen, Store, Summary

TAKEN: Final = 20_000  # touches looked at together
PUT: Final = 250  # summaries put together, and entities read before it is asked whether to go on
TOGETHER: Final = 100  # entities asked in one question
MAX_FACTS: Final = 10_000  # of one entity, read one by one; beyond, the store counts
PAGE: Final = 5_000
NEWEST: Final = 1_000  # facts of a large entity that are read one by one
_GUESS: Final = 20  # facts of an entity that nothing is known of
Befores = Mapping[str, Summary | None]


class Summariser:
    """Rebuilds the summaries of what one node received."""

    def __init__(self, inbox: Inbox, store: Store, *, now: Callable[[], int] = time.time_ns) -> None:
        self._inbox, self._store, self._now = inbox, store, now

    def run(self, go_on: Callable[[], bool] = lambda: True) -> int:
        """Rebuild what was touched before now, each entity once; returns how many were put.

        Ends early, between two batches, where ``go_on`` says no; what is left stays noted. Raises
        ``Unavailable`` where the store or the inbox is away: the notes stay.
        """
        edge = self._now() - self._store.visibility_lag  # of what came later, not all is seen yet
        put, done = 0, set[Touched]()
        while go_on():
            notes = self._inbox.touched(edge, limit=TAKEN)
            if not notes.rows:
                break
            todo = [touched for touched in notes.entities if touched not in done]
            while todo and go_on():
                workspace = todo[0][0]
                batch = [name for of, name in todo[:PUT] if of == workspace]
                put += self.rebuild(workspace, batch)
                done.update((workspace, name) for name in batch)
                todo = [touched for touched in todo[:PUT] if touched[0] != workspace] + todo[PUT:]
            self._inbox.summarised(notes, left=todo)
        return put

    def rebuild(self, workspace: str, entities: Sequence[str]) -> int:
        """Read the facts about these entities and put their summaries; returns how many were put."""
        befores = dict(zip(entities, self._store.summaries(entities, workspace=workspace), strict=True))
        sizes = {name: before.facts if before else _GUESS for name, before in befores.items()}
        made = list(self._made(workspace, sizes, befores))
        self._store.put_summaries(made)
        return len(made)

    def _made(self, workspace: str, sizes: Mapping[str, int], befores: Befores) -> Iterator[Summary]:
        """Summaries; ``sizes`` says how many facts each entity had, or is thought to have."""
        small = {name: size for name, size in sizes.items() if size <= MAX_FACTS}
        for name in sizes.keys() - small.keys():
            yield from self._of_large(workspace, name, befores[name])
        for group in _groups(small):
            read = self._now()
            found = self._rows(workspace, group)
            if found is not None:
                for name, rows in found.items():
                    made = summarise(workspace, name, rows, read=read, before=befores[name])
                    if made is not None:
                        yield made
                continue
            counts = {name: self._count(_about(name), workspace) for name in group}
            sizes = {name: count.value + count.variants for name, count in counts.items()}
            yield from self._made(workspace, sizes, befores)

    def _rows(self, workspace: str, entities: Sequence[str]) -> dict[str, list[Row]] | None:
        """All rows about each entity; ``None`` where they are too many to be read."""
        found: dict[str, list[Row]] = {name: [] for name in entities}
        query = Query(where=Or(items=tuple(_about(name) for name in entities)), workspace=workspace)
        total, cursor = 0, None
        while True:
            page = self._store.search(query, limit=PAGE, order="oldest", cursor=cursor)
            _whole(page.partial)
            for row in page.rows:
                for name in row.entities:
                    if name in found:
                        found[name].append(row)
            total += len(page.rows)
            if page.next is None:
                return found
            if total > MAX_FACTS:
                return None
            cursor = page.next

    def _of_large(self, workspace: str, entity: str, before: Summary | None) -> Iterator[Summary]:
        """The summary of an entity with very many facts: counted by the store, but for the newest.

        Steps by event type are exact. Any other step is told as the newest facts and the summary
        so far know it.
        """
        read, about = self._now(), _about(entity)
        page = self._store.search(Query(where=about, workspace=workspace), limit=NEWEST)
        _whole(page.partial)
        tally = Tally()
        for row in page.rows:
            tally.add(row)
        (whole,) = self._store.sightings([Query(where=about, workspace=workspace)])
        _whole(whole.partial)
        if tally.quiet is None or whole.first is None or whole.last is None:
            return
        typed, services, environments = self._store.facets(
            Query(where=about, workspace=workspace), ("type", "service", "environment"), limit=MAX_STEPS
        )
        steps = self._typed(workspace, about, [value.value for value in typed.values])
        known = {step.name: step for step in before.steps} if before else {}
        for name, step in {**known, **tally.seen()}.items():
            if name not in steps:
                steps[name] = _merged(step, known.get(name), whole.first)
        yield Summary(
            workspace=workspace,
            entity=entity,
            steps=ordered(steps.values()),
            current=tally.current,
            quiet_since=tally.quiet,
            first=whole.first,
            last=whole.last,
            services=names(value.value for value in services.values),
            environments=names(value.value for value in environments.values),
            facts=whole.count,
            failed=self._count(And((about, FieldIs("status", "error"))), workspace).value,
            cut=max(whole.count - tally.facts, 0),
            read=read,
        )

    def _typed(self, workspace: str, about: Node, types: Sequence[str]) -> dict[str, StepSeen]:
        """The steps that are event types, as the store counts them."""
        queries = [Query(where=And((about, FieldIs("type", value))), workspace=workspace) for value in types]
        found = {}
        for value, seen in zip(types, self._store.sightings(queries), strict=True):
            _whole(seen.partial)
            if seen.count and seen.first is not None and seen.last is not None:
                name = step_name(value)
                found[name] = StepSeen(name=name, first=seen.first, last=seen.last, count=seen.count)
        return found

    def _count(self, where: Node, workspace: str) -> Count:
        count = self._store.count(Query(where=where, workspace=workspace))
        _whole(count.partial)
        return count


def _about(entity: str) -> Node:
    return EntityIs(Entity.parse(entity))


def _groups(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Entities whose facts are read together: few enough, and not too many facts."""
    group: list[str] = []
    total = 0
    for name, size in sizes.items():
        if group and (len(group) == TOGETHER or total + size > MAX_FACTS):
            yield group
            group, total = [], 0
        group.append(name)
        total += size
    if group:
        yield group


def _merged(step: StepSeen, known: StepSeen | None, first: int) -> StepSeen:
    """What the newest facts and the summary so far tell of a step; its count is the least it can be."""
    known = known or step
    last = max(step.last, known.last)
    return msgspec.structs.replace(
        step,
        first=min(step.first, known.first),
        last=last,
        count=max(step.count, known.count),
        expired=last < first,
    )


def _whole(partial: Sequence[str]) -> None:
    """A summary of half the facts would say that steps are missing."""
    if partial:
        raise StoreUnavailable(
            f"the store answered in part: {partial[0]}", remedy="summaries are tried again by themselves"
        )
