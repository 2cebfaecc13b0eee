"""Summaries in plain Python, on a dictionary: what every store must answer, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests import builders as b
from timeline.store.port import CohortQuery, StepSeen, Store, Summary


def step(name: str, at: int = b.NOW, **fields: Any) -> StepSeen:
    """A step reached once."""
    return StepSeen(**({"name": name, "first": at, "last": at, "count": 1} | fields))


def summary(entity: str = "bet:1", *steps: str, quiet: int = b.NOW, **fields: Any) -> Summary:
    """A summary of an entity that went quiet at ``quiet``; any field may be given."""
    defaults: dict[str, Any] = {
        "entity": entity,
        "steps": tuple(step(name, quiet) for name in steps),
        "current": steps[-1] if steps else None,
        "quiet_since": quiet,
        "first": quiet,
        "last": quiet,
        "facts": len(steps),
        "read": b.NOW,
    }
    return Summary(**(defaults | fields))


def asking(kind: str = "bet", **query: Any) -> CohortQuery:
    """A question as of an hour after ``builders.NOW``; any field may be given."""
    return CohortQuery(**({"type": kind, "as_of": b.NOW + b.HOUR} | query))


def walk(store: Store, query: dict[str, Any], *, limit: int) -> list[Summary]:
    """All entities of a cohort, page by page; every page tells the same total."""
    found: list[Summary] = []
    totals: set[int] = set()
    cursor = None
    while True:
        page = store.cohort(asking(**query, limit=limit, cursor=cursor))
        assert page.partial == ()
        assert len(page.summaries) <= limit
        found += page.summaries
        totals.add(page.total)
        if page.next is None:
            assert {len(found)} == totals
            return found
        assert len(page.summaries) == limit
        cursor = page.next


class Summaries:
    """A store beside a dictionary: both are put to and asked alike."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.held: dict[tuple[str, str], Summary] = {}

    def put(self, *summaries: Summary) -> None:
        """Put to both."""
        for one in summaries:
            key = (one.workspace, one.entity)
            there = self.held.get(key)
            if there is None or there.read <= one.read:
                self.held[key] = one
        self.store.put_summaries(summaries, visible=True)

    def expire(self, before: int, *, workspace: str = "main") -> None:
        """Expire in both."""
        self.store.expire(before, workspace=workspace)
        self.held = {
            key: one for key, one in self.held.items() if one.workspace != workspace or one.last >= before
        }

    def matching(self, query: CohortQuery) -> list[Summary]:
        """The cohort, longest quiet first."""
        return sorted(
            (one for one in self.held.values() if _matches(one, query)),
            key=lambda one: (one.quiet_since, one.entity),
        )

    def agree(self, *, limit: int = 3, **query: Any) -> list[str]:
        """Compare a cohort, whole and in pages; returns its entities."""
        expected = self.matching(asking(**query))
        assert expected == walk(self.store, query, limit=limit)
        return [one.entity for one in expected]

    def known(self, entities: Sequence[str], *, workspace: str = "main") -> list[Summary | None]:
        """Compare what is held of these entities; returns it."""
        expected = [self.held.get((workspace, entity)) for entity in entities]
        assert expected == self.store.summaries(entities, workspace=workspace)
        return expected


def _matches(one: Summary, query: CohortQuery) -> bool:
    have = {seen.name for seen in one.steps}
    quiet = query.quiet_for is None or one.quiet_since <= query.as_of - query.quiet_for
    return (
        one.workspace == query.workspace
        and one.entity.partition(":")[0] == query.type
        and have.issuperset(query.reached)
        and have.isdisjoint(query.missing)
        and (query.environment is None or query.environment in one.environments)
        and quiet
    )
