"""Answering questions about facts: lists, counts, whole facts, sightings, streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from timeline.domain import Row, Stored
from timeline.search.query import Query, Window
from timeline.search.tokens import field_token
from timeline.store.asking import check_page
from timeline.store.cursor import read_cursor, search_asked, write_cursor
from timeline.store.elasticsearch import mapping
from timeline.store.elasticsearch.compile import (
    Dsl,
    between,
    both,
    compiled,
    negated,
    token,
    variants,
    within,
)
from timeline.store.elasticsearch.fetch import (
    Fetch,
    Place,
    in_time,
    insist,
    listing,
    partial_of,
    place_of,
    sorting,
)
from timeline.store.patience import renewed
from timeline.store.port import Count, Order, Overview, Page, Sighting

STREAM: Final = 1_000  # facts of one step of a stream, while they are small
STREAM_BYTES: Final = 4_000_000  # of facts in one step
FEW: Final = 10_000  # matches that are put in order at no notable cost
_DOING: Final = "searching"
KEEP_ALIVE: Final = "5m"  # how long a stream may pause between two steps


class Reader:
    """Answers questions from what is visible now; safe for use by several threads."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def search(self, query: Query, limit: int, order: Order, cursor: str | None) -> Page:
        """One page of facts."""
        check_page(limit)
        after = _after(query, order, cursor)
        path = self._fetch.days.path(query.window)
        for asked in self._rungs(query, order, after):
            answer = self._fetch.search(path, listing(asked, order, limit + 1, after), _DOING, whole=False)
            if len(answer["hits"]["hits"]) > limit:
                break
        return self._page(query, order, limit, answer)

    def _rungs(self, query: Query, order: Order, after: Place | None) -> list[Dsl]:
        """The question asked of ever more facts, the newest first, and in the end of all.

        The newest of very many are the newest of the last few, if those are enough for a page.
        """
        asked = compiled(query)
        if order != "newest" or query.window.on != "event":
            return [asked]
        edges = self._fetch.recent.edges(query.window, None if after is None else after.time)
        return [*(both(asked, between("placed", edge, None)) for edge in edges), asked]

    def _page(self, query: Query, order: Order, limit: int, answer: dict[str, Any]) -> Page:
        hits = answer["hits"]["hits"]
        following = None
        if len(hits) > limit:
            following = write_cursor(tuple(place_of(hits[limit - 1])), search_asked(query, order))
        facts = tuple(self._fetch.stored(hit) for hit in hits[:limit])
        return Page(facts=facts, next=following, partial=partial_of(answer))

    def count(self, query: Query, limit: int | None) -> Count:
        """How many match."""
        path = self._fetch.days.path(query.window)
        bodies = _counts(compiled(query), limit)
        counted, varied = self._fetch.searches([(path, body) for body in bodies], "counting")
        return _count(counted, varied, limit)

    def overview(
        self, query: Query, limit: int, order: Order, cursor: str | None, count_to: int | None
    ) -> Overview:
        """A page, the count, and the ends of all matches: one request, where the newest are near the end."""
        check_page(limit)
        after = _after(query, order, cursor)
        path, asked = self._fetch.days.path(query.window), compiled(query)
        rungs = self._rungs(query, order, after)
        # the first page of a list begins with one of its ends
        ends: list[Order] = ["oldest", "newest"]
        ends = [end for end in ends if after is not None or end != order]
        near = {
            "oldest": asked,
            "newest": self._rungs(query, "newest", None)[0] if "newest" in ends else asked,
        }
        counting, varying = _counts(asked, count_to)
        bodies = {"page": listing(rungs[0], order, limit + 1, after), "counted": counting, "varied": varying}
        bodies |= {end: _end(near[end], end) for end in ends}
        if count_to is not None and "oldest" in ends:  # of all matches, so it can tell how many those are
            bodies["oldest"]["track_total_hits"] = count_to + 1
            del bodies["counted"]
        answered = self._fetch.searches([(path, body) for body in bodies.values()], _DOING)
        found = dict(zip(bodies, answered, strict=True))
        paged, varied, counted = found["page"], found["varied"], found.get("counted")
        if counted is None:
            counted = found["oldest"]
            if _total(varied):  # which are counted apart
                counted = self._fetch.search(path, counting, _DOING, whole=False)
        count = _count(counted, varied, count_to)
        several = count.value + count.variants
        few = not count.at_least and several <= FEW  # quickest asked of all facts at once
        for rung in rungs[-1:] if few and len(rungs) > 1 else rungs[1:]:
            hits = paged["hits"]["hits"]
            if len(hits) > limit or (after is None and len(hits) == several):
                break
            paged = self._fetch.search(path, listing(rung, order, limit + 1, after), _DOING, whole=False)
        answers = {order: paged} if after is None else {}
        answers |= {end: found[end] for end in ends}
        if several and not answers["newest"]["hits"]["hits"]:
            answers["newest"] = self._fetch.search(path, _end(asked, "newest"), _DOING, whole=False)
        return Overview(
            page=self._page(query, order, limit, paged),
            count=count,
            first=_time(answers["oldest"]),
            last=_time(answers["newest"]),
        )

    def get(self, ids: Sequence[str], workspace: str) -> list[Stored | None]:
        """Whole facts by id."""
        found = self._fetch.by_ids(ids, workspace)
        return [found.get(fact_id) for fact_id in ids]

    def group(self, identity: str, workspace: str) -> list[Stored]:
        """Every fact of an identity, smallest content hash first."""
        query = within(workspace, token(field_token("identity", identity)))
        path = mapping.facts_pattern(self._fetch.cluster.prefix)
        found: list[Stored] = []
        after: Place | None = None
        while True:
            answer = self._fetch.search(path, listing(query, "oldest", STREAM, after), "reading variants")
            hits = answer["hits"]["hits"]
            found.extend(self._fetch.stored(hit) for hit in hits)
            if len(hits) < STREAM:
                return sorted(found, key=lambda stored: (stored.receipt.content, stored.receipt.id))
            after = place_of(hits[-1])

    def sightings(self, queries: Sequence[Query]) -> list[Sighting]:
        """One sighting per question; more than the newest is only asked where several match."""
        asked = [(self._fetch.days.path(query.window), compiled(query)) for query in queries]
        newest = list(self._fetch.searches([(path, _newest(dsl)) for path, dsl in asked], "looking up"))
        several = [place for place, answer in enumerate(newest) if _total(answer) > 1]
        oldest = self._fetch.searches(
            [(asked[place][0], _oldest(asked[place][1])) for place in several], "looking up"
        )
        first = dict(zip(several, oldest, strict=True))
        return [self._sighting(answer, first.get(place)) for place, answer in enumerate(newest)]

    def _sighting(self, newest: dict[str, Any], oldest: dict[str, Any] | None) -> Sighting:
        """First, last and newest go over variants too: a variant has been seen."""
        partial = tuple(dict.fromkeys(partial_of(newest) + (partial_of(oldest) if oldest else ())))
        hits = newest["hits"]["hits"]
        if not hits:
            return Sighting(partial=partial)
        row = Row.of(self._fetch.stored(hits[0]))
        others, first = int(row.variant), hits
        if oldest is not None:
            others = oldest["aggregations"]["variants"]["doc_count"]
            first = oldest["hits"]["hits"] or hits
        return Sighting(
            count=_total(newest) - others,
            variants=others,
            first=place_of(first[0]).time,
            last=place_of(hits[0]).time,
            newest=row,
            partial=partial,
        )

    def missing(self, window: Window) -> tuple[str, ...]:
        """A sentence for each day of the window that is closed."""
        closed, path = self._fetch.recent.closed(), self._fetch.days.path(window)
        return tuple(
            f"The index {name} is closed in Elasticsearch: nothing of it is found until it is opened again."
            for name in closed
            if "*" in path or name in path.split(",")
        )

    def newest(self, query: Dsl, path: str, count: int) -> list[Stored]:
        """The newest facts of a compiled question."""
        answer = self._fetch.search(path, listing(query, "newest", count), "reading the newest facts")
        return [self._fetch.stored(hit) for hit in answer["hits"]["hits"]]

    def facts_of(self, query: Query) -> Iterator[Stored]:
        """Every match as of the first step, oldest first, a step in memory at a time.

        A point in time is only opened where one step does not hold all.
        """
        asked, path = compiled(query), self._fetch.days.path(query.window)
        answer = self._fetch.search(path, listing(asked, "oldest", STREAM), "streaming facts")
        if len(answer["hits"]["hits"]) < STREAM:
            yield from map(self._fetch.stored, answer["hits"]["hits"])
        else:
            del answer
            yield from self._stream(asked, path)

    def _stream(self, asked: Dsl, path: str) -> Iterator[Stored]:
        cluster = self._fetch.cluster
        opened = cluster.found(
            "POST",
            f"/{path}/_pit",
            params={"keep_alive": KEEP_ALIVE, "ignore_unavailable": "true"},
            doing="opening a stream",
        )
        if opened is None:
            return
        pit = opened["id"]
        try:
            body, size = listing(asked, "oldest", STREAM), STREAM
            while True:
                body["pit"] = {"id": pit, "keep_alive": KEEP_ALIVE}
                answer = cluster.ask(
                    "POST",
                    "/_search",
                    body,
                    params={"allow_partial_search_results": "false"},
                    doing="streaming facts",
                    question=True,
                )
                pit = insist(answer, "streaming facts").get("pit_id", pit)
                hits = answer["hits"]["hits"]
                renewed()
                for hit in hits:
                    yield self._fetch.stored(hit)
                if len(hits) < size:
                    return
                held = sum(len(hit["fields"]["whole"][0]) for hit in hits)
                size = max(1, min(STREAM, size * STREAM_BYTES // max(held, 1)))
                body |= {"size": size, "search_after": hits[-1]["sort"]}
        finally:
            cluster.found("DELETE", "/_pit", {"id": pit}, doing="closing a stream")


def _after(query: Query, order: Order, cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    return Place(*read_cursor(cursor, search_asked(query, order), tuple[int, int, int, int]))


def _counting(query: Dsl, up_to: bool | int) -> Dsl:
    return {"query": query, "size": 0, "track_total_hits": up_to, "timeout": in_time()}


def _counts(asked: Dsl, limit: int | None) -> tuple[Dsl, Dsl]:
    """Bodies that count facts, and variants."""
    up_to = True if limit is None else limit + 1
    return _counting(both(asked, negated(variants())), up_to), _counting(both(asked, variants()), True)


def _count(counted: dict[str, Any], varied: dict[str, Any], limit: int | None) -> Count:
    value = _total(counted)
    cut = limit is not None and value > limit
    return Count(
        value=limit if cut and limit is not None else value,
        at_least=cut,
        variants=_total(varied),
        partial=tuple(dict.fromkeys(partial_of(counted) + partial_of(varied))),
    )


def _total(answer: dict[str, Any]) -> int:
    return int(answer["hits"]["total"]["value"])


def _newest(query: Dsl) -> Dsl:
    return listing(query, "newest", 1) | {"track_total_hits": True}


def _oldest(query: Dsl) -> Dsl:
    return _end(query, "oldest") | {"aggs": {"variants": {"filter": variants()}}}


def _end(query: Dsl, order: Order) -> Dsl:
    """The place of the first match in an order."""
    return {
        "query": query,
        "sort": sorting(order),
        "size": 1,
        "stored_fields": "_none_",
        "track_total_hits": False,
        "timeout": in_time(),
    }


def _time(answer: dict[str, Any]) -> int | None:
    hits = answer["hits"]["hits"]
    return place_of(hits[0]).time if hits else None
