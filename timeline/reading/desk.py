"""The one door to every answer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Concatenate, ParamSpec, TypeVar

from timeline.answers import (
    Accounting,
    CohortAnswer,
    Coverage,
    DestinationAnswer,
    EntityAnswer,
    FactAnswer,
    FlowsAnswer,
    SearchAnswer,
    SeenAnswer,
    SendersAnswer,
    TailAnswer,
    TraceAnswer,
)
from timeline.domain import Entity, Stored
from timeline.errors import StoreUnavailable
from timeline.inbox.inbox import Inbox
from timeline.models import Watch
from timeline.reading.accounting import accounting
from timeline.reading.around import around
from timeline.reading.cohorts import cohort
from timeline.reading.coverage import CoverageReader
from timeline.reading.flows import Flows
from timeline.reading.search import Ask, Searches, scoped, understand
from timeline.reading.seen import Sightings
from timeline.reading.senders import senders
from timeline.reading.stories import Stories
from timeline.reading.suggest import Offer, Suggestions
from timeline.reading.tail import tail
from timeline.reading.traces import Traces
from timeline.reading.usual import waits_of
from timeline.reading.watches import look
from timeline.redaction.asking import NOTHING, Asking
from timeline.search.caret import Typed
from timeline.search.query import Query, Window
from timeline.store.port import CohortQuery, Store
from timeline.telemetry.spans import span

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


def _asking(
    question: Callable[Concatenate[Desk, Asked], Answer],
) -> Callable[Concatenate[Desk, Asked], Answer]:
    """Where the store is away, its error says how much waits to be stored: none of it is lost."""

    @functools.wraps(question)
    def asked(desk: Desk, /, *args: Asked.args, **options: Asked.kwargs) -> Answer:
        try:
            with span(f"ask {question.__name__}"):
                return question(desk, *args, **options)
        except StoreUnavailable as error:
            error.waiting = desk.waiting()
            raise

    return asked


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
        asking: Callable[[str], Asking] = lambda workspace: NOTHING,
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._node = node
        self._rules = rules
        self._asking = asking
        self._coverage = CoverageReader(
            node=node,
            backlog=inbox.backlog,
            settling=inbox.settling,
            retention_days=retention_days,
            lag=store.visibility_lag,
            missing=store.missing,
        )
        self._stories = Stories(store, self._coverage, rules, asking)
        self._suggestions = Suggestions(store, rules)

    @_asking
    def search(self, ask: Ask) -> SearchAnswer:
        """A search with its verdict."""
        return Searches(self._store, self._coverage, self._rules, self._asking).search(ask)

    @_asking
    def waits(self, facts: Iterable[Stored], *, workspace: str = "main") -> dict[str, int]:
        """How long (ns) the message of each handling among these had waited, by the handling's fact id."""
        return waits_of(self._store, facts, workspace)

    def matches(self, ask: Ask) -> Iterator[Stored]:
        """Every match as a whole fact, oldest first, for files."""
        found = understand(ask.text, self._rules(ask.workspace), self._asking(ask.workspace))
        node = scoped(found.node, ask.environment)
        return self._store.facts_of(Query(where=node, window=ask.window, workspace=ask.workspace))

    @_asking
    def tail(self, ask: Ask, after: int) -> TailAnswer:
        """What was received since ``after`` and matches."""
        return tail(self._store, self._coverage, self._rules, self._asking, ask, after)

    @_asking
    def offers(self, typed: Typed, *, workspace: str = "main") -> list[Offer]:
        """Completions of what is being typed."""
        return self._suggestions.offers(typed, workspace)

    @_asking
    def watched(self, watches: Iterable[Watch]) -> int:
        """Look for what these watches wait for; how many were told of it."""
        return look(self._store, self._rules, self._asking, watches)

    @_asking
    def get(self, ids: Sequence[str], *, workspace: str = "main") -> list[Stored | None]:
        """Whole facts by id."""
        return self._store.get(ids, workspace=workspace)

    @_asking
    def fact(self, fact_id: str, *, workspace: str = "main") -> FactAnswer | None:
        """One fact with its hops."""
        return self._stories.fact(fact_id, workspace=workspace)

    @_asking
    def trace(self, trace_id: str, *, workspace: str = "main") -> TraceAnswer | None:
        """A trace, whole."""
        return self._stories.trace(trace_id, workspace=workspace)

    @_asking
    def entity(
        self,
        entity: Entity,
        window: Window | None = None,
        *,
        context: bool = False,
        expand: bool = False,
        beside: Sequence[Entity] = (),
        workspace: str = "main",
    ) -> EntityAnswer | None:
        """An entity's story, that of others ``beside`` it included."""
        return self._stories.entity(
            entity, window=window, context=context, expand=expand, beside=beside, workspace=workspace
        )

    @_asking
    def seen(
        self, ids: Sequence[str], window: Window | None = None, *, workspace: str = "main"
    ) -> SeenAnswer:
        """A verdict per id; without a window over all that is stored."""
        return Sightings(self._store, self._coverage, self._asking).seen(ids, window, workspace=workspace)

    @_asking
    def flows(self, window: Window, *, workspace: str = "main") -> FlowsAnswer:
        """What flows between services."""
        return Flows(self._store, self._coverage).all(window, workspace=workspace)

    @_asking
    def destination(self, name: str, window: Window, *, workspace: str = "main") -> DestinationAnswer | None:
        """One topic, queue or stream."""
        return Flows(self._store, self._coverage).destination(name, window, workspace=workspace)

    def traces(self, *, workspace: str = "main") -> Traces:
        """Whole traces by what one of their spans is."""
        return Traces(self._store, workspace)

    @_asking
    def cohort(self, query: CohortQuery) -> CohortAnswer:
        """Entities that reached some steps and not others."""
        return cohort(self._store, self._inbox, self._node, query)

    @_asking
    def around(self, fact_id: str, near: int, *, workspace: str = "main") -> Window | None:
        """The range of so many facts before and after one, itself included; ``None`` where it is unknown."""
        return around(self._store, fact_id, near, workspace)

    def waiting(self) -> tuple[int, int] | None:
        """Requests and items that are received and not stored yet; ``None`` where nobody can say."""
        return self._coverage.waiting()

    def senders(self, *, workspace: str = "main") -> SendersAnswer:
        """The state of the way in."""
        return senders(self._inbox, self._node, workspace=workspace)

    def accounting(self) -> Accounting:
        """What became of every item of each sender, on all nodes."""
        return accounting(self._inbox.books(), self._node)

    def coverage(self, window: Window, *, workspace: str = "main") -> Coverage:
        """What answers over a range rest on now."""
        return self._coverage.read(window, workspace)
