"""A store beside the list model: whatever is asked of both must be answered equally."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contract.model import ListStore
from timeline.domain import Row, Stored
from timeline.ingest.identity import placed
from timeline.search import query as q
from timeline.store.port import ItemReport, Order, Store

ORDERS: tuple[Order, ...] = ("newest", "oldest", "received", "longest")
WIDE = q.Window(start=0, end=(1 << 63) - 1)


def asking(where: q.Node, **query: object) -> q.Query:
    """A question in the default workspace; ``window`` and ``workspace`` may be given."""
    return q.Query(where=where, **query)  # type: ignore[arg-type]


def walk(store: Store, query: q.Query, *, limit: int, order: Order = "newest") -> list[Row]:
    """All rows, page by page."""
    rows: list[Row] = []
    cursor = None
    while True:
        page = store.search(query, limit=limit, order=order, cursor=cursor)
        assert page.partial == ()
        assert len(page.rows) <= limit
        rows += page.rows
        if page.next is None:
            return rows
        assert len(page.rows) == limit
        cursor = page.next


class Pair:
    """Writes to a store and to the model, and compares their answers."""

    def __init__(self, store: Store) -> None:
        self.store, self.model = store, ListStore()

    def write(self, facts: Sequence[Stored]) -> list[ItemReport]:
        """Write to both; the reports must agree."""
        expected = self.model.write(facts)
        actual = self.store.write(facts, visible=True)
        assert expected == actual
        return actual

    def agree(self, query: q.Query, *, page: int = 7) -> int:
        """Compare every kind of answer to one question; returns how many facts match."""
        for order in ORDERS:
            assert self.model.rows(query, order) == walk(self.store, query, limit=page, order=order)
            self._overviews_agree(query, order, page)
        assert self.model.count(query) == self.store.count(query)
        assert self.model.count(query, limit=2) == self.store.count(query, limit=2)
        assert list(self.model.facts_of(query)) == list(self.store.facts_of(query))
        assert self.model.facets(query, q.FACETS) == self.store.facets(query, q.FACETS)
        assert self.model.sightings([query]) == self.store.sightings([query])
        return len(self.model.matching(query))

    def _overviews_agree(self, query: q.Query, order: Order, limit: int) -> None:
        """The first two pages, each with what is said of all matches."""
        times = [placed(stored) for stored in self.model.matching(query)]
        ends = (min(times), max(times)) if times else (None, None)
        cursor = None
        for start in (0, limit):
            told = self.store.overview(query, limit=limit, order=order, cursor=cursor, count_to=2)
            expected = self.model.ordered(query, order)[start : start + limit]
            assert expected == list(told.page.facts)
            assert self.model.count(query, limit=2) == told.count
            assert ends == (told.first, told.last)
            cursor = told.page.next
            if cursor is None:
                return

    def found(self, where: q.Node, **query: object) -> list[str]:
        """The ids that both find for a question, newest first."""
        asked = asking(where, **query)
        expected = [row.id for row in self.model.rows(asked)]
        assert expected == [row.id for row in walk(self.store, asked, limit=100)]
        assert self.model.count(asked) == self.store.count(asked)
        return expected

    def finds(self, where: q.Node, *expected: Stored, **query: object) -> None:
        """Both find exactly these facts."""
        assert sorted(stored.receipt.id for stored in expected) == sorted(self.found(where, **query))
