"""The one door to every answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from timeline.answers import (
    CohortAnswer,
    Coverage,
    EntityAnswer,
    FactAnswer,
    SearchAnswer,
    SeenAnswer,
    SendersAnswer,
    TraceAnswer,
)
from timeline.domain import Entity, Stored
from timeline.inbox.inbox import Inbox
from timeline.reading.cohorts import cohort
from timeline.reading.coverage import CoverageReader
from timeline.reading.search import Ask, Searches, understand
from timeline.reading.seen import Sightings
from timeline.reading.senders import senders
from timeline.reading.stories import Stories
from timeline.search.query import Query, Window
from timeline.store.port import CohortQuery, Store


class Desk:
    """Asks one store on behalf of one workspace; cheap to make, safe to share."""

    def __init__(
        self,
        store: Store,
        inbox: Inbox,
        *,
        node: str,
        retention_days: int,
        rules: Callable[[str], Mapping[str, str]],
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._node = node
        self._rules = rules
        self._coverage = CoverageReader(
            node=node,
            backlog=inbox.backlog,
            settling=inbox.settling,
            retention_days=retention_days,
            lag=store.visibility_lag,
        )
        self._stories = Stories(store, self._coverage, rules)

    def search(self, ask: Ask) -> SearchAnswer:
        """A search with its verdict."""
        return Searches(self._store, self._coverage, self._rules).search(ask)

    def matches(self, ask: Ask) -> Iterator[Stored]:
        """Every match as a whole fact, oldest first, for files."""
        node = understand(ask.text, self._rules(ask.workspace)).node
        return self._store.facts_of(Query(where=node, window=ask.window, workspace=ask.workspace))

    def get(self, ids: Sequence[str], *, workspace: str = "main") -> list[Stored | None]:
        """Whole facts by id."""
        return self._store.get(ids, workspace=workspace)

    def fact(self, fact_id: str, *, workspace: str = "main") -> FactAnswer | None:
        """One fact with its hops."""
        return self._stories.fact(fact_id, workspace=workspace)

    def trace(self, trace_id: str, *, workspace: str = "main") -> TraceAnswer | None:
        """A trace, whole."""
        return self._stories.trace(trace_id, workspace=workspace)

    def entity(
        self,
        entity: Entity,
        window: Window | None = None,
        *,
        context: bool = False,
        expand: bool = False,
        workspace: str = "main",
    ) -> EntityAnswer | None:
        """An entity's story."""
        return self._stories.entity(
            entity, window=window, context=context, expand=expand, workspace=workspace
        )

    def seen(
        self, ids: Sequence[str], window: Window | None = None, *, workspace: str = "main"
    ) -> SeenAnswer:
        """A verdict per id."""
        return Sightings(self._store, self._coverage).seen(
            ids, window or self.held(workspace), workspace=workspace
        )

    def cohort(self, query: CohortQuery) -> CohortAnswer:
        """Entities that reached some steps and not others."""
        return cohort(self._store, self._inbox, self._node, query)

    def senders(self, *, workspace: str = "main") -> SendersAnswer:
        """The state of the way in."""
        return senders(self._inbox, self._node, workspace=workspace)

    def coverage(self, window: Window, *, workspace: str = "main") -> Coverage:
        """What answers over a range rest on now."""
        return self._coverage.read(window, workspace)

    def held(self, workspace: str = "main") -> Window:
        """Everything an answer can be given for: from the retention edge, or from where
        recording or a declaration began, to now."""
        return self._coverage.held(workspace)
