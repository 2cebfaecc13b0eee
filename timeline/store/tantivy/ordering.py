"""Facts in total order: by time, then tie, then id, for groups of equals of any size.

The engine sorts by one integer column at a time. So a list is taken column by column:
everything of a later time as it comes, and a group of equal times only where it is cut,
by the next column, down to the ids themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import tantivy

from timeline.store.integers import MAX_INT, MIN_INT
from timeline.store.tantivy.compile import between, both, but_not, matches

IdOf = Callable[[tantivy.DocAddress], str]
Between = Callable[[str, int | None, int | None], tantivy.Query]


class Place(NamedTuple):
    """The last row given: what it is ordered by first, and what orders it among equals."""

    time: int
    tie: int
    rank: int
    id: str


class Hit(NamedTuple):
    """A fact in its place; the id is empty where the columns alone decided the order."""

    time: int
    tie: int
    rank: int
    id: str
    address: tantivy.DocAddress


class Ordering:
    """Takes the facts of one query in one order from one state of the index."""

    def __init__(
        self,
        searcher: tantivy.Searcher,
        query: tantivy.Query,
        *,
        time: str,
        newest: bool,
        id_of: IdOf,
        columns: tuple[str, ...] | None = None,
        between: Between = between,
    ) -> None:
        self._searcher, self._query, self._id_of = searcher, query, id_of
        # The rank orders ids of one placed time: those of one received time differ before it.
        self._columns = columns or ((time, "tie", "rank") if time == "placed" else (time, "tie"))
        self._newest, self._between = newest, between

    def take(self, count: int, after: Place | None = None) -> list[Hit]:
        """The first ``count`` facts, or those that follow ``after``."""
        return self._take(self._query, (), after, count)

    def _beyond(self, column: str, value: int) -> tantivy.Query:
        return (
            self._between(column, None, value - 1) if self._newest else self._between(column, value + 1, None)
        )

    def _take(
        self, query: tantivy.Query, known: tuple[int, ...], after: Place | None, count: int
    ) -> list[Hit]:
        """As ``take``, among facts that agree on the ``known`` values of the first columns."""
        level = len(known)
        if level == len(self._columns):
            return self._by_id(query, known, after, count)
        column = self._columns[level]
        found: list[Hit] = []
        if after is not None:
            value = (after.time, after.tie, after.rank)[level]
            same = both(query, self._between(column, value, value))
            found = self._take(same, (*known, value), after, count)
            query = both(query, self._beyond(column, value))
        missing = count - len(found)
        if missing <= 0:
            return found
        hits = self._sorted(query, column, missing + 1)
        cut = hits[-1][0] if len(hits) > missing else None
        found += self._arrange(known, [hit for hit in hits if hit[0] != cut])
        missing = count - len(found)
        if cut is not None and missing > 0:
            group = both(query, self._between(column, cut, cut))
            found += self._take(group, (*known, cut), None, missing)
        return found

    def _sorted(self, query: tantivy.Query, column: str, limit: int) -> list[tuple[int, tantivy.DocAddress]]:
        order = tantivy.Order.Desc if self._newest else tantivy.Order.Asc
        result = self._searcher.search(query, limit=limit, count=False, order_by_field=column, order=order)
        return [(int(value), address) for value, address in result.hits]

    def _arrange(self, known: tuple[int, ...], hits: list[tuple[int, tantivy.DocAddress]]) -> list[Hit]:
        """Whole groups of equal values, put in order by the columns that follow."""
        level = len(known)
        addresses = [address for _, address in hits]
        columns: list[Iterable[int]] = [[value] * len(hits) for value in known]
        columns.append(value for value, _ in hits)
        columns.extend(self._values(column, addresses) for column in self._columns[level + 1 :])
        if len(self._columns) == 2:
            columns.append([0] * len(hits))
        placed = [
            Hit(time, tie, rank, "", address)
            for time, tie, rank, address in zip(*columns, addresses, strict=True)
        ]
        placed.sort(key=lambda hit: hit[:3], reverse=self._newest)
        arranged: list[Hit] = []
        for _, equals in groupby(placed, key=lambda hit: hit[:3]):
            group = list(equals)
            arranged += group if len(group) == 1 else self._named(group)
        return arranged

    def _values(self, column: str, addresses: list[tantivy.DocAddress]) -> Iterator[int]:
        for value in self._searcher.fast_field_values(column, addresses):
            yield int(value or 0)

    def _named(self, group: list[Hit]) -> list[Hit]:
        named = [hit._replace(id=self._id_of(hit.address)) for hit in group]
        return sorted(named, key=lambda hit: hit.id, reverse=self._newest)

    def _by_id(
        self, query: tantivy.Query, known: tuple[int, ...], after: Place | None, count: int
    ) -> list[Hit]:
        """Facts that no column tells apart: few, unless somebody made it so."""
        size = matches(self._searcher, query)
        if not size:
            return []
        time, tie, rank = (*known, 0)[:3]
        hits = self._searcher.search(query, limit=size, count=False).hits
        group = self._named([Hit(time, tie, rank, "", address) for _, address in hits])
        if after is not None:
            group = [hit for hit in group if (hit.id < after.id if self._newest else hit.id > after.id)]
        return group[:count]


def longest(
    searcher: tantivy.Searcher, query: tantivy.Query, count: int, after: Place | None, id_of: IdOf
) -> list[Hit]:
    """The first ``count`` that took longest, or those that follow ``after``; then those without a duration,
    newest first, with rank -1."""
    timed = between("duration", MIN_INT, MAX_INT)

    def of(these: tantivy.Query, *columns: str) -> Ordering:
        return Ordering(searcher, these, time=columns[0], newest=True, id_of=id_of, columns=columns)

    found: list[Hit] = []
    if after is None or after.rank >= 0:
        found, after = of(both(query, timed), "duration", "placed", "rank").take(count, after), None
    if len(found) < count:
        rest = of(but_not(query, timed), "placed", "rank").take(count - len(found), after)
        found += [hit._replace(rank=-1) for hit in rest]
    return found
