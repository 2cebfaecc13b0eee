"""From the facts about an entity to its ``Summary``: pure, and equal for any order of arrival."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from timeline.cohorts.steps import step_of
from timeline.domain import Row
from timeline.ingest.identity import usable
from timeline.store.port import StepSeen, Summary

MAX_STEPS: Final = 200
MAX_NAMES: Final = 50  # services and environments


class _Step(msgspec.Struct):
    first: int
    last: int
    count: int = 1


class Tally:
    """What the rows about one entity come to; variants are left out, as in every count."""

    def __init__(self) -> None:
        self.steps: dict[str, _Step] = {}
        self.services: dict[str, None] = {}
        self.environments: dict[str, None] = {}
        self.facts = self.failed = 0
        self.current: str | None = None
        self._current_at: tuple[int, int, str] | None = None
        self.first: int | None = None
        self.last: int | None = None
        self.quiet: int | None = None

    def add(self, row: Row) -> None:
        """Take one fact into account."""
        if row.variant:
            return
        placed = row.at if row.at is not None and usable(row.at) else row.received
        moment = min(placed, row.received)
        self.facts += 1
        self.failed += row.status == "error"
        self.first = placed if self.first is None else min(self.first, placed)
        self.last = placed if self.last is None else max(self.last, placed)
        self.quiet = moment if self.quiet is None else max(self.quiet, moment)
        if row.service:
            self.services[row.service] = None
        if row.environment:
            self.environments[row.environment] = None
        name = step_of(row)
        if name is not None:
            self._add_step(name, moment, (moment, row.tie, row.id))

    def _add_step(self, name: str, moment: int, place: tuple[int, int, str]) -> None:
        step = self.steps.get(name)
        if step is None:
            self.steps[name] = _Step(first=moment, last=moment)
        else:
            step.first, step.last = min(step.first, moment), max(step.last, moment)
            step.count += 1
        if self._current_at is None or place > self._current_at:
            self.current, self._current_at = name, place

    def seen(self) -> dict[str, StepSeen]:
        """The steps by name."""
        return {
            name: StepSeen(name=name, first=step.first, last=step.last, count=step.count)
            for name, step in self.steps.items()
        }


def summarise(
    workspace: str, entity: str, rows: Iterable[Row], *, read: int, before: Summary | None = None
) -> Summary | None:
    """The summary of these facts, read at ``read`` (ns); ``None`` where there are none.

    ``before`` is the entity's summary so far: a step that only it knows, from before every
    fact that is left, is kept and marked ``expired``.
    """
    tally = Tally()
    for row in rows:
        tally.add(row)
    if tally.first is None or tally.last is None or tally.quiet is None:
        return None
    return Summary(
        workspace=workspace,
        entity=entity,
        steps=ordered(with_expired(tally.seen(), before, tally.first)),
        current=tally.current,
        quiet_since=tally.quiet,
        first=tally.first,
        last=tally.last,
        services=names(tally.services),
        environments=names(tally.environments),
        facts=tally.facts,
        failed=tally.failed,
        read=read,
    )


def with_expired(found: dict[str, StepSeen], before: Summary | None, first: int) -> list[StepSeen]:
    """Steps found, and those that ``before`` knew from facts older than ``first`` (ns), which are gone."""
    gone = [
        msgspec.structs.replace(step, expired=True)
        for step in (before.steps if before else ())
        if step.name not in found and step.last < first
    ]
    return [*found.values(), *gone]


def ordered(steps: Iterable[StepSeen]) -> tuple[StepSeen, ...]:
    """Steps in the order of their first fact; of more than ``MAX_STEPS`` the most frequent."""
    kept = sorted(steps, key=lambda step: (-step.count, step.first, step.name))[:MAX_STEPS]
    return tuple(sorted(kept, key=lambda step: (step.first, step.name)))


def names(found: Iterable[str]) -> tuple[str, ...]:
    """Names in order, at most ``MAX_NAMES``."""
    return tuple(sorted(found)[:MAX_NAMES])
