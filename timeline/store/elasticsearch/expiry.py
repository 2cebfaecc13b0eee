"""Removing what is past its time: whole days at once, the rest id by id, every fact counted.

A day is closed to writing while it is counted and dropped, so that nothing goes uncounted. A
day that more than one workspace shares, or that is only partly past, loses single facts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from timeline.errors import StoreUnavailable
from timeline.store.elasticsearch import mapping
from timeline.store.elasticsearch.bulk import Writer
from timeline.store.elasticsearch.client import lines
from timeline.store.elasticsearch.compile import EVERYTHING, Dsl, between, within
from timeline.store.elasticsearch.fetch import Fetch, Place, place_of, sorting
from timeline.store.elasticsearch.names import ODD, end_of

AT_A_TIME: Final = 5_000  # facts removed by one request
FREEING: Final = 60.0  # s an expiry waits for disk; later merges free the rest
SHARE: Final = 0.2  # of an index; below this its own merges will do
WORTH: Final = 10_000  # facts, about 2 MB; for less nobody waits


class Expiry:
    """Removes facts of one prefix."""

    def __init__(self, fetch: Fetch, writer: Writer) -> None:
        self._fetch, self._writer = fetch, writer
        self._prefix = fetch.cluster.prefix

    def expire(self, before: int, workspace: str) -> int:
        """Remove facts of a workspace placed before ``before``; returns how many went."""
        removed = 0
        for day in self._fetch.days.existing():
            doomed = within(workspace, between("placed", None, before - 1))
            if day != ODD and end_of(day) <= before:
                removed += self._drop(day, workspace, doomed)
            else:
                removed += self._remove(day, doomed)
        return removed

    def _index(self, day: str) -> str:
        return mapping.facts_index(self._prefix, day)

    def _count(self, day: str, query: Dsl) -> int:
        self._writer.refresh_days([day])
        body = {"query": query, "size": 0, "track_total_hits": True}
        answer = self._fetch.search(self._index(day), body, "counting what expires")
        return int(answer["hits"]["total"]["value"])

    def _drop(self, day: str, workspace: str, doomed: Dsl) -> int:
        """A day that is past, as a whole where it belongs to one workspace alone."""
        own = within(workspace)
        if self._count(day, EVERYTHING) > self._count(day, own):
            return self._remove(day, doomed)
        index = self._index(day)
        cluster = self._fetch.cluster
        if cluster.found("PUT", f"/{index}/_block/write", doing=f"closing {index} to writing") is None:
            return 0  # another process was faster
        try:
            everything, count = self._count(day, EVERYTHING), self._count(day, own)
            if everything > count:  # another workspace has come meanwhile
                return self._unblock(index) or self._remove(day, doomed)
        except StoreUnavailable:
            self._unblock(index)
            raise
        cluster.found("DELETE", f"/{index}", doing=f"dropping {index}")
        self._fetch.days.forget(day)
        return count

    def _unblock(self, index: str) -> int:
        self._fetch.cluster.found(
            "PUT", f"/{index}/_settings", {"index.blocks.write": None}, doing=f"opening {index} to writing"
        )
        return 0

    def _remove(self, day: str, doomed: Dsl) -> int:
        """Single facts of a day."""
        index = self._index(day)
        if not self._count(day, doomed):
            return 0
        removed = 0
        for ids in self._ids(index, doomed):
            body = lines({"delete": {"_id": fact_id}} for fact_id in ids)
            answer = self._fetch.cluster.ask(
                "POST",
                f"/{index}/_bulk",
                body,
                params={"filter_path": "items.*.status,items.*.error"},
                lines=True,
                doing="removing expired facts",
            )
            results = [item["delete"] for item in answer["items"]]
            removed += sum(result["status"] == 200 for result in results)
            failed = [result for result in results if result["status"] not in (200, 404)]
            if failed:
                self._writer.refresh_days([day])
                raise StoreUnavailable(
                    f"{len(failed)} of {len(ids)} expired facts could not be removed: {str(failed[0])[:300]}",
                    remedy="the next run goes on where this one stopped",
                )
        self._writer.refresh_days([day])
        self._free(index, removed)
        return removed

    def _ids(self, index: str, doomed: Dsl) -> Iterator[list[str]]:
        after: Place | None = None
        while True:
            body: Dsl = {
                "query": doomed,
                "sort": sorting("oldest"),
                "size": AT_A_TIME,
                "stored_fields": "_none_",
                "track_total_hits": False,
            }
            if after is not None:
                body["search_after"] = list(after)
            hits = self._fetch.search(index, body, "looking for what expires")["hits"]["hits"]
            if hits:
                yield [place_of(hit).id for hit in hits]
            if len(hits) < AT_A_TIME:
                return
            after = place_of(hits[-1])

    def _free(self, index: str, removed: int) -> None:
        """Give disk back where much of an index has gone.

        The cluster keeps what was removed for copies that may need to catch up, and lets go of it
        seconds after all have; only then does merging free anything.
        """
        if removed < WORTH:
            return
        cluster = self._fetch.cluster
        deadline = time.monotonic() + FREEING
        while True:
            if cluster.found("POST", f"/{index}/_flush", doing="freeing disk") is None:
                return
            stats = cluster.ask(
                "GET",
                f"/{index}/_stats/docs",
                params={"level": "shards", "filter_path": "indices.*.shards"},
                doing="freeing disk",
            )
            shards = [copy for shard in stats["indices"][index]["shards"].values() for copy in shard]
            held = sum(copy["docs"]["count"] for copy in shards if copy["routing"]["primary"])
            if removed < SHARE * (held + removed):
                return
            if all(map(_caught_up, shards)) or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        cluster.found(
            "POST", f"/{index}/_forcemerge", params={"only_expunge_deletes": "true"}, doing="freeing disk"
        )


def _caught_up(copy: dict[str, Any]) -> bool:
    """Whether no copy of a shard needs its history any more."""
    leases = copy.get("retention_leases", {}).get("leases", ())
    newest = copy.get("seq_no", {}).get("max_seq_no", -1)
    return all(lease["retaining_seq_no"] > newest for lease in leases)
