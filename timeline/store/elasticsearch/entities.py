"""Summaries: one small document per entity, replaced by every read that is not older.

The time of the read is the document's version, so the cluster itself decides which of two
writers wins.
"""

from __future__ import annotations

from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from timeline.errors import StoreUnavailable
from timeline.search.tokens import value_token
from timeline.store.asking import check_cohort, chunks
from timeline.store.cursor import cohort_asked, read_cursor, write_cursor
from timeline.store.elasticsearch import mapping
from timeline.store.elasticsearch.admin import ensure
from timeline.store.elasticsearch.client import Cluster, lines
from timeline.store.elasticsearch.compile import Dsl, between, both, negated
from timeline.store.elasticsearch.fetch import in_time, partial_of
from timeline.store.integers import clamp
from timeline.store.port import Cohort, CohortQuery, Summary

AT_A_TIME: Final = 1_000
_SORTABLE: Final = 8_000  # characters of an entity that the order goes by
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Summary).decode


def _id(workspace: str, entity: str) -> str:
    digest = blake2b(_encode((workspace, entity)), digest_size=15).digest()
    return urlsafe_b64encode(digest).decode("ascii")


def _kind(workspace: str, kind: str) -> str:
    return blake2b(_encode((workspace, kind)), digest_size=15).hexdigest()


def _order(entity: str) -> str:
    return entity if len(entity) <= _SORTABLE else entity[:_SORTABLE] + _id("", entity)


def _document(summary: Summary) -> Dsl:
    return {
        "kind": _kind(summary.workspace, summary.type),
        "workspace": value_token(summary.workspace),
        "entity": _order(summary.entity),
        "steps": [value_token(step.name) for step in summary.steps],
        "environments": [value_token(name) for name in summary.environments],
        "quiet_since": clamp(summary.quiet_since),
        "last": clamp(summary.last),
        "summary": b64encode(_encode(summary)).decode("ascii"),
    }


def _summary(source: dict[str, Any]) -> Summary:
    return _decode(b64decode(source["summary"]))


class Entities:
    """Keeps and finds summaries; safe for use by several threads."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._index = mapping.entities_index(cluster.prefix)
        self._made = False

    def put(self, summaries: Sequence[Summary], *, visible: bool) -> None:
        """Keep the latest read of each."""
        if not summaries:
            return
        if not self._made:
            ensure(self._cluster, self._index, mapping.entities_body())
            self._made = True
        for chunk in chunks(summaries, AT_A_TIME):
            self._put(chunk)
        if visible:
            self.refresh()

    def _put(self, summaries: Sequence[Summary]) -> None:
        failed = self._sent(summaries)
        if any(one["status"] == 404 for one in failed):  # the cluster was emptied under us
            ensure(self._cluster, self._index, mapping.entities_body())
            failed = self._sent(summaries)
        if failed:
            raise StoreUnavailable(
                f"{len(failed)} of {len(summaries)} summaries could not be kept: {str(failed[0])[:300]}",
                remedy="they are put again with the next round",
            )

    def _sent(self, summaries: Sequence[Summary]) -> list[Dsl]:
        """The results of those that were not kept."""
        items: list[Dsl] = []
        for summary in summaries:
            own = _id(summary.workspace, summary.entity)
            version = max(summary.read, 0)
            items.append({"index": {"_id": own, "version": version, "version_type": "external_gte"}})
            items.append(_document(summary))
        answer = self._cluster.ask(
            "POST",
            f"/{mapping.way_in(self._index, self._cluster.prefix)}/_bulk",
            lines(items),
            params={"filter_path": "items.*.status,items.*.error", "require_alias": "true"},
            lines=True,
            doing="keeping summaries",
        )
        # 409: a later read is there already
        return [item["index"] for item in answer["items"] if item["index"]["status"] not in (200, 201, 409)]

    def refresh(self) -> None:
        """Let questions see every summary."""
        self._cluster.found("POST", f"/{self._index}/_refresh", doing="making summaries visible")

    def get(self, entities: Sequence[str], workspace: str) -> list[Summary | None]:
        """Summaries by entity; the latest, visible or not."""
        found: dict[str, Summary] = {}
        for chunk in chunks(dict.fromkeys(entities), AT_A_TIME):
            answer = self._cluster.found(
                "POST",
                f"/{self._index}/_mget",
                {"ids": [_id(workspace, entity) for entity in chunk]},
                params={"_source_includes": "summary"},
                doing="reading summaries",
            )
            for document in (answer or {"docs": []})["docs"]:
                if "error" in document and document["error"].get("type") != "index_not_found_exception":
                    raise StoreUnavailable(
                        f"summaries could not be read: {str(document['error'])[:300]}", remedy="try again"
                    )
                if document.get("found"):
                    summary = _summary(document["_source"])
                    found[summary.entity] = summary
        return [found.get(entity) for entity in entities]

    def cohort(self, query: CohortQuery) -> Cohort:
        """One page of entities, longest quiet first."""
        check_cohort(query.limit)
        asked = cohort_asked(query)
        body: Dsl = {
            "query": _compiled(query),
            "sort": [{"quiet_since": "asc"}, {"entity": "asc"}],
            "size": query.limit + 1,
            "track_total_hits": True,
            "_source": ["summary"],
            "timeout": in_time(),
        }
        if query.cursor is not None:
            body["search_after"] = list(read_cursor(query.cursor, asked, tuple[int, str]))
        answer = self._cluster.ask(
            "POST",
            f"/{self._index}/_search",
            body,
            params={"ignore_unavailable": "true"},
            doing="asking for a cohort",
            question=True,
        )
        hits = answer["hits"]["hits"]
        following = None
        if len(hits) > query.limit:
            following = write_cursor(tuple(hits[query.limit - 1]["sort"]), asked)
        return Cohort(
            summaries=tuple(_summary(hit["_source"]) for hit in hits[: query.limit]),
            total=int(answer["hits"]["total"]["value"]) if "total" in answer["hits"] else 0,
            next=following,
            partial=partial_of(answer),
        )

    def expire(self, before: int, workspace: str) -> None:
        """Remove summaries whose last fact is gone."""
        if self._cluster.found("POST", f"/{self._index}/_refresh", doing="expiring summaries") is None:
            return
        doomed = both({"term": {"workspace": value_token(workspace)}}, between("last", None, before - 1))
        while True:
            body = {"query": doomed, "size": AT_A_TIME, "_source": False, "version": True}
            answer = self._cluster.ask(
                "POST",
                f"/{self._index}/_search",
                body,
                params={"allow_partial_search_results": "false"},
                doing="expiring summaries",
            )
            hits = answer["hits"]["hits"]
            if not hits:
                return
            self._cluster.ask(
                "POST",
                f"/{self._index}/_bulk",
                # by the version seen: one that was put again meanwhile stays
                lines(
                    {
                        "delete": {
                            "_id": hit["_id"],
                            "version": hit["_version"],
                            "version_type": "external_gte",
                        }
                    }
                    for hit in hits
                ),
                lines=True,
                doing="expiring summaries",
            )
            self.refresh()


def _compiled(query: CohortQuery) -> Dsl:
    parts: list[Dsl] = [{"term": {"kind": _kind(query.workspace, query.type)}}]
    parts += [{"term": {"steps": value_token(name)}} for name in query.reached]
    parts += [negated({"term": {"steps": value_token(name)}}) for name in query.missing]
    if query.environment is not None:
        parts.append({"term": {"environments": value_token(query.environment)}})
    if query.quiet_for is not None:
        parts.append(between("quiet_since", None, query.as_of - query.quiet_for))
    return both(*parts)
