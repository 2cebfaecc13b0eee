"""Facets and histograms: exact, or an error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from timeline.domain import Stored
from timeline.search.query import FACETS, FieldIs, Query
from timeline.store.asking import MAX_BUCKETS, SAMPLE, buckets_of, chunks, sampled, top
from timeline.store.elasticsearch.compile import Dsl, between, both, compile_node, compiled, negated, variants
from timeline.store.elasticsearch.fetch import Fetch, in_time, insist
from timeline.store.elasticsearch.reader import Reader
from timeline.store.integers import MS
from timeline.store.port import Bucket, Facet

FINE: Final = 500  # buckets asked one by one in a request
FIRST_TRY: Final = 256  # values that each shard offers
MOST: Final = 60_000  # beyond this values are counted in their order, all of them
_FAILED: Final = FieldIs("status", "error")


class Counting:
    """Counts values and times; safe for use by several threads."""

    def __init__(self, fetch: Fetch, reader: Reader) -> None:
        self._fetch, self._reader = fetch, reader

    def _aggregate(self, path: str, query: Dsl, aggs: Dsl, doing: str) -> dict[str, Any]:
        body = {"query": query, "size": 0, "track_total_hits": False, "aggs": aggs, "timeout": in_time()}
        return _counts(self._fetch.search(path, body, doing), aggs)

    def facets(self, query: Query, fields: Sequence[str], limit: int) -> list[Facet]:
        """Value counts, by columns for built-in fields and on a sample for attributes."""
        asked, path = both(compiled(query), negated(variants())), self._fetch.days.path(query.window)
        built_in = list(dict.fromkeys(field for field in fields if field in FACETS))
        found = {facet.field: facet for facet in self._facets(path, asked, built_in, limit)}
        facts: list[Stored] = []
        if len(built_in) < len(set(fields)):
            facts = self._reader.newest(asked, path, SAMPLE)
        return [found[field] if field in found else sampled(facts, field, limit) for field in fields]

    def _facets(self, path: str, asked: Dsl, fields: list[str], limit: int) -> Iterable[Facet]:
        """Exact: asks each shard for more until none that was left out could belong to the first."""
        size = max(4 * limit, FIRST_TRY)
        while fields:
            aggs = {field: {"terms": _terms(field, max(limit, 1), size)} for field in fields}
            answer = self._aggregate(path, asked, aggs, "counting values")
            unsure = []
            for field in fields:
                if answer[field]["doc_count_error_upper_bound"]:
                    unsure.append(field)
                    continue
                counts = ((str(one["key"]), int(one["doc_count"])) for one in answer[field]["buckets"])
                yield Facet(field=field, values=top(counts, limit))
            fields, size = unsure, size * 8
            if size > MOST:
                for field in fields:
                    yield Facet(field=field, values=top(self._every(path, asked, field), limit))
                return

    def _every(self, path: str, asked: Dsl, field: str) -> Iterable[tuple[str, int]]:
        """Every value with its count, page by page."""
        after: Dsl = {}
        while True:
            source = {"size": MAX_BUCKETS, "sources": [{"value": {"terms": {"field": field}}}], **after}
            answer = self._aggregate(path, asked, {"values": {"composite": source}}, "counting values")
            for one in answer["values"]["buckets"]:
                yield str(one["key"]["value"]), int(one["doc_count"])
            if "after_key" not in answer["values"]:
                return
            after = {"after": answer["values"]["after_key"]}

    def histogram(self, query: Query, interval: int) -> list[Bucket]:
        """Counts per interval of placed time."""
        start, end = buckets_of(query.window, interval)
        # Whatever clock the window asks, the buckets are of placed time and inside it.
        asked = both(compiled(query), negated(variants()), between("placed", start, end - 1))
        path = self._fetch.days.path(query.window)
        if start % MS == 0 and interval % MS == 0:
            counts = self._by_ms(path, asked, start, interval)
        else:
            counts = self._one_by_one(path, asked, start, end, interval)
        return [
            Bucket(start=start + number * interval, count=count, errors=errors)
            for number, (count, errors) in sorted(counts.items())
        ]

    def _by_ms(self, path: str, asked: Dsl, start: int, interval: int) -> dict[int, tuple[int, int]]:
        step, first = interval // MS, start // MS
        times = {
            "histogram": {"field": "ms", "interval": step, "offset": first % step, "min_doc_count": 1},
            "aggs": {"errors": {"filter": compile_node(_FAILED)}},
        }
        answer = self._aggregate(path, asked, {"times": times}, "counting over time")
        return {
            (int(one["key"]) - first) // step: (int(one["doc_count"]), int(one["errors"]["doc_count"]))
            for one in answer["times"]["buckets"]
        }

    def _one_by_one(
        self, path: str, asked: Dsl, start: int, end: int, interval: int
    ) -> dict[int, tuple[int, int]]:
        """Below a ms the cluster's doubles would misplace facts; each bucket is a range then."""
        failed = both(asked, compile_node(_FAILED))
        counts: dict[int, tuple[int, int]] = {}
        for numbers in chunks(range(-(-(end - start) // interval)), FINE):
            ranges = [
                between("placed", start + number * interval, start + (number + 1) * interval - 1)
                for number in numbers
            ]
            span = between("placed", start + numbers[0] * interval, start + (numbers[-1] + 1) * interval - 1)
            aggs = {"times": {"filters": {"filters": ranges}}}
            bodies = [
                (path, {"query": both(query, span), "size": 0, "track_total_hits": False, "aggs": aggs})
                for query in (asked, failed)
            ]
            every, bad = (
                _counts(insist(answer, "counting over time"), aggs)["times"]["buckets"]
                for answer in self._fetch.searches(bodies, "counting over time")
            )
            if not every:
                return counts
            counts.update(
                (number, (int(one["doc_count"]), int(other["doc_count"])))
                for number, one, other in zip(numbers, every, bad, strict=True)
                if one["doc_count"]
            )
        return counts


def _counts(answer: dict[str, Any], aggs: Dsl) -> dict[str, Any]:
    """What was counted; the cluster says nothing of it where no day of the question has an index."""
    nothing = {name: {"buckets": [], "doc_count_error_upper_bound": 0} for name in aggs}
    found: dict[str, Any] = answer.get("aggregations", nothing)
    return found


def _terms(field: str, size: int, shard_size: int) -> Dsl:
    order = [{"_count": "desc"}, {"_key": "asc"}]
    return {"field": field, "size": size, "shard_size": max(size, shard_size), "order": order}
