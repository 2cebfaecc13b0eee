"""Reading the index: one ``State`` per commit, asked for anew before each question."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import tantivy

from timeline.domain import Row, Stored
from timeline.ingest.identity import placed
from timeline.search.query import FACETS, FieldIs, Query
from timeline.search.tokens import field_token
from timeline.store.asking import SAMPLE, buckets_of, check_page, chunks, sampled, top
from timeline.store.codec import Codec
from timeline.store.cursor import read_cursor, search_asked, write_cursor
from timeline.store.integers import MS
from timeline.store.port import Bucket, Count, Facet, Order, Overview, Page, Sighting
from timeline.store.tantivy import folder
from timeline.store.tantivy.compile import (
    between,
    both,
    but_not,
    compile_node,
    compile_window,
    matches,
    one_of,
    token,
    variants,
)
from timeline.store.tantivy.ordering import Hit, Ordering, Place, longest
from timeline.store.tantivy.schema import id_token

STREAM: Final = 2_000  # facts put in order at a time while streaming
LOOKUP: Final = 5_000  # ids asked at a time
MANY: Final = 200_000  # facts from which on the newest are looked for near the end first
SHARES: Final = (512, 32)  # of the window, one after the other


class State:
    """The index as of one commit; every answer of one ``State`` is about the same facts."""

    def __init__(self, searcher: tantivy.Searcher, codec: Codec) -> None:
        self.searcher, self._codec = searcher, codec
        self._alone: dict[str, bool] = {}
        self._ends: tuple[int, int] | None = None

    def fact(self, address: tantivy.DocAddress) -> Stored:
        """The fact at an address of this state."""
        blob = self.searcher.doc(address).get_first("blob")
        return self._codec.unpack(bytes(blob or b""))

    def _id(self, address: tantivy.DocAddress) -> str:
        return self.fact(address).receipt.id

    def within(self, workspace: str, query: tantivy.Query) -> tantivy.Query:
        """``query`` among the facts of a workspace: the one place that adds the tenant.

        Where every fact belongs to it, the filter says nothing and is left out: it would
        walk a list as long as the index.
        """
        own = field_token("workspace", workspace)
        if workspace not in self._alone:
            self._alone[workspace] = self.count(token(own)) == self.searcher.num_docs
        return query if self._alone[workspace] else both(query, token(own))

    def compiled(self, query: Query) -> tantivy.Query:
        """The engine's form of a whole question."""
        where, window = compile_node(query.where), compile_window(query.window)
        return self.within(query.workspace, where if window is None else both(where, window))

    def count(self, query: tantivy.Query) -> int:
        """How many facts match."""
        return matches(self.searcher, query)

    def count_of_many(self, query: tantivy.Query) -> int:
        """As ``count``: in half the time where millions match, and 0.2 ms longer where few do.

        Every fact has its ``ms``, so that counting those needs no matches put in order.
        """
        answer = self.searcher.aggregate(query, {"facts": {"value_count": {"field": "ms"}}})
        return int(answer["facts"]["value"])

    def ordering(self, query: tantivy.Query, order: Order) -> Ordering:
        """The matches in one of the port's orders."""
        time = "received" if order == "received" else "placed"
        return Ordering(self.searcher, query, time=time, newest=order != "oldest", id_of=self._id)

    def ends(self) -> tuple[int, int]:
        """A range (ns, half-open) that holds the placed time of every fact; looked up once."""
        if self._ends is None:
            asked = {name: {name: {"field": "ms"}} for name in ("min", "max")}
            found = self.searcher.aggregate(tantivy.Query.all_query(), asked)
            self._ends = int(found["min"]["value"]) * MS, (int(found["max"]["value"]) + 1) * MS
        return self._ends

    def longest(self, query: tantivy.Query, count: int, after: Place | None) -> list[Hit]:
        """The matches that took longest, then those of which nobody knows."""
        return longest(self.searcher, query, count, after, self._id)

    def addressed(
        self, ids: Iterable[str], workspace: str | None = None
    ) -> Iterator[tuple[Stored, tantivy.DocAddress]]:
        """The facts stored under these ids, and where; of one workspace, or of any."""
        for chunk in chunks(ids, LOOKUP):
            query = one_of(id_token(fact_id) for fact_id in chunk)
            if workspace is not None:
                query = self.within(workspace, query)
            hits = self.searcher.search(query, limit=len(chunk) + 1, count=False).hits
            if len(hits) > len(chunk):  # some identities have facts at other times
                hits = self.searcher.search(query, limit=max(self.count(query), 1), count=False).hits
            wanted = frozenset(chunk)
            for _, address in hits:
                stored = self.fact(address)
                if stored.receipt.id in wanted:
                    yield stored, address

    def lookup(self, ids: Iterable[str], workspace: str | None = None) -> dict[str, Stored]:
        """The facts stored under these ids, by id."""
        return {stored.receipt.id: stored for stored, _ in self.addressed(ids, workspace)}


class Reader:
    """Answers questions from the newest commit; safe for use by several threads."""

    def __init__(self, path: Path, codec: Codec) -> None:
        self._path, self._codec = path, codec
        self._lock = threading.Lock()
        self._index: tantivy.Index | None = None
        self._seen: tuple[int, int, int] | None = None
        self._state: State | None = None

    def state(self) -> State:
        """The index as of the newest commit; costs one ``stat`` where nothing was committed."""
        with self._lock, folder.engine(f"reading {self._path}"):
            if self._index is None:
                self._index = folder.open_index(self._path)
            stat = (self._path / folder.META).stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if self._state is None or seen != self._seen:
                self._index.reload()
                self._state, self._seen = State(self._index.searcher(), self._codec), seen
            return self._state

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            self._index = self._state = self._seen = None

    def search(self, query: Query, limit: int, order: Order, cursor: str | None) -> Page:
        """One page of facts."""
        check_page(limit)
        after = None
        if cursor is not None:
            after = Place(*read_cursor(cursor, search_asked(query, order), tuple[int, int, int, str]))
        state = self.state()
        with folder.engine("searching"):
            hits = _first(state, query, order, limit + 1, after)
            facts = [state.fact(hit.address) for hit in hits[:limit]]
        more = None
        if len(hits) > limit:
            more = write_cursor(tuple(_place(hits[limit - 1], facts[-1])), search_asked(query, order))
        return Page(facts=tuple(facts), next=more)

    def count(self, query: Query, limit: int | None) -> Count:
        """How many match."""
        state = self.state()
        with folder.engine("counting"):
            compiled = state.compiled(query)
            everything = state.count_of_many(compiled)
            others = state.count(both(compiled, variants())) if everything else 0
        value = everything - others
        cut = limit is not None and value > limit
        return Count(value=limit if cut and limit is not None else value, at_least=cut, variants=others)

    def overview(
        self, query: Query, limit: int, order: Order, cursor: str | None, count_to: int | None
    ) -> Overview:
        """A page, the count, and the ends of all matches."""
        page, count = self.search(query, limit, order, cursor), self.count(query, count_to)
        if not count.value and not count.variants:
            return Overview(page=page, count=count)
        state = self.state()
        # a first page begins with one of the ends
        shown = placed(page.facts[0]) if page.facts and cursor is None else None
        with folder.engine("looking up"):
            first = shown if order == "oldest" else None
            last = shown if order == "newest" else None
            return Overview(
                page=page,
                count=count,
                first=_end(state, query, "oldest") if first is None else first,
                last=_end(state, query, "newest") if last is None else last,
            )

    def facets(self, query: Query, fields: Sequence[str], limit: int) -> list[Facet]:
        """Value counts, by columns for built-in fields and on a sample for attributes."""
        state = self.state()
        with folder.engine("counting values"):
            compiled = but_not(state.compiled(query), variants())
            facts: list[Stored] = []
            if any(field not in FACETS for field in fields):
                hits = state.ordering(compiled, "newest").take(SAMPLE)
                facts = [state.fact(hit.address) for hit in hits]
            exact = _facets(state, compiled, [field for field in fields if field in FACETS], limit)
            return [exact[field] if field in exact else sampled(facts, field, limit) for field in fields]

    def histogram(self, query: Query, interval: int) -> list[Bucket]:
        """Counts per interval of placed time."""
        start, end = buckets_of(query.window, interval)
        state = self.state()
        with folder.engine("counting over time"):
            where = but_not(state.within(query.workspace, compile_node(query.where)), variants())
            if (
                query.window.on != "event"
            ):  # the buckets are of placed time and inside the window all the same
                window = compile_window(query.window)
                where = where if window is None else both(where, window)
            inside = between("placed", start, end - 1)
            counts = _buckets(state, where, inside, start, interval)
            failed = both(where, compile_node(_FAILED))
            errors = _buckets(state, failed, inside, start, interval)
        return [
            Bucket(start=start + number * interval, count=count, errors=errors.get(number, 0))
            for number, count in sorted(counts.items())
        ]

    def facts_of(self, query: Query) -> Iterator[Stored]:
        """Every match of one commit, oldest first."""
        state = self.state()
        with folder.engine("streaming facts"):
            ordering = state.ordering(state.compiled(query), "oldest")
            after: Place | None = None
            while hits := ordering.take(STREAM, after):
                for hit in hits:
                    stored = state.fact(hit.address)
                    yield stored
                if len(hits) < STREAM:
                    return
                after = _place(hit, stored)

    def get(self, ids: Sequence[str], workspace: str) -> list[Stored | None]:
        """Whole facts by id."""
        state = self.state()
        with folder.engine("reading facts"):
            found = state.lookup(dict.fromkeys(ids), workspace)
        return [found.get(fact_id) for fact_id in ids]

    def group(self, identity: str, workspace: str) -> list[Stored]:
        """Every fact of an identity, smallest content hash first."""
        state = self.state()
        with folder.engine("reading variants"):
            query = state.within(workspace, compile_node(FieldIs("identity", identity)))
            size = state.count(query)
            hits = state.searcher.search(query, limit=max(size, 1), count=False).hits
            found = [state.fact(address) for _, address in hits]
        return sorted(found, key=lambda stored: (stored.receipt.content, stored.receipt.id))

    def sightings(self, queries: Sequence[Query]) -> list[Sighting]:
        """One sighting per question, all from one commit."""
        state = self.state()
        with folder.engine("looking up"):
            return [_sighting(state, query) for query in queries]

    def held(self) -> int:
        """How many facts there are in all."""
        return self.state().searcher.num_docs


_FAILED: Final = FieldIs("status", "error")


def _place(hit: Hit, stored: Stored) -> Place:
    return Place(hit.time, hit.tie, hit.rank, stored.receipt.id)


def _first(state: State, query: Query, order: Order, count: int, after: Place | None) -> list[Hit]:
    """The first hits of a list, or those behind a place.

    The newest, or oldest, of very many are looked for near that end of the window first: what is
    found there in full is all that a list of all would begin with, and costs a fraction.
    """
    compiled, window = state.compiled(query), query.window
    if order == "longest":
        return state.longest(compiled, count, after)
    if order != "received" and window.on == "event" and state.searcher.num_docs >= MANY:
        first, last = state.ends()
        start = first if window.start is None else max(window.start, first)
        end = last if window.end is None else min(window.end, last)
        if after is not None:
            start, end = (
                (start, min(end, after.time + 1)) if order == "newest" else (max(start, after.time), end)
            )
        for share in SHARES:
            part = (end - start) // share
            near = (
                between("placed", end - part, None)
                if order == "newest"
                else between("placed", None, start + part)
            )
            hits = state.ordering(both(compiled, near), order).take(count, after)
            if len(hits) == count:
                return hits
    return state.ordering(compiled, order).take(count, after)


def _end(state: State, query: Query, order: Order) -> int | None:
    """The placed time of the first or last of all matches."""
    hits = _first(state, query, order, 1, None)
    return hits[0].time if hits else None


def _sighting(state: State, query: Query) -> Sighting:
    """First, last and newest go over variants too: a variant has been seen."""
    compiled = state.compiled(query)
    everything = state.count(compiled)
    if not everything:
        return Sighting()
    others = state.count(both(compiled, variants()))
    newest = state.ordering(compiled, "newest").take(1)[0]
    first = newest if everything == 1 else state.ordering(compiled, "oldest").take(1)[0]
    return Sighting(
        count=everything - others,
        variants=others,
        first=first.time,
        last=newest.time,
        newest=Row.of(state.fact(newest.address)),
    )


def _facets(state: State, compiled: tantivy.Query, fields: Sequence[str], limit: int) -> dict[str, Facet]:
    """Exact, all in one pass: those of which a value left out could belong to the first are asked again."""
    found: dict[str, Facet] = {}
    size = max(4 * limit, 256)
    while left := [field for field in dict.fromkeys(fields) if field not in found]:
        asked = {field: {"terms": {"field": field, "size": size, "segment_size": size}} for field in left}
        answers = state.searcher.aggregate(compiled, asked)
        for field in left:
            answer = answers[field]
            counts = [(str(bucket["key"]), int(bucket["doc_count"])) for bucket in answer["buckets"]]
            if not answer["sum_other_doc_count"] and not answer["doc_count_error_upper_bound"]:
                found[field] = Facet(field=field, values=top(counts, limit))
        size *= 8
    return found


def _buckets(
    state: State, where: tantivy.Query, inside: tantivy.Query, start: int, interval: int
) -> dict[int, int]:
    """Facts of a range per interval, by its number from ``start``."""
    if interval % MS:
        return _fine_buckets(state, both(where, inside), start, interval)
    step, first = interval // MS, start // MS
    histogram = {"field": "ms", "interval": step, "offset": first % step, "min_doc_count": 1}
    answer = state.searcher.aggregate(both(where, inside), {"times": {"histogram": histogram}})["times"]
    counts = {
        (int(bucket["key"]) - first) // step: int(bucket["doc_count"])
        for bucket in answer["buckets"]
        if bucket["doc_count"]
    }
    return _shifted(state, where, counts, start, interval) if start % MS else counts


def _shifted(
    state: State, where: tantivy.Query, counts: dict[int, int], start: int, interval: int
) -> dict[int, int]:
    """Counts by whole ms, put right for a ``start`` inside one.

    The engine counts in doubles, and by ms. Facts of the ms in which a bucket begins that came before
    it belong to the bucket before; before the first there are none.
    """
    right = dict(counts)
    for number in counts:
        begin = start + number * interval
        early = number and state.count(both(where, between("placed", begin - begin % MS, begin - 1)))
        if early:
            right[number] -= early
            right[number - 1] = right.get(number - 1, 0) + early
    return {number: count for number, count in right.items() if count}


def _fine_buckets(state: State, compiled: tantivy.Query, start: int, interval: int) -> dict[int, int]:
    """As ``_buckets`` for parts of a ms, which the engine's doubles would misplace; such windows hold few."""
    counts: dict[int, int] = {}
    after: int | None = None
    while True:
        part = compiled if after is None else both(compiled, between("placed", after, None))
        size = state.count(part)
        if not size:
            return counts
        hits = state.searcher.search(
            part, limit=min(size, SAMPLE), count=False, order_by_field="placed", order=tantivy.Order.Asc
        ).hits
        bucket = (int(hits[0][0]) - start) // interval
        after = start + (bucket + 1) * interval
        counts[bucket] = state.count(both(part, between("placed", None, after - 1)))
