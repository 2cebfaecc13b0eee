"""Making, recognising and judging the indices of one prefix, and the shelf of dictionaries."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any, Final

from timeline.errors import StoreUnavailable
from timeline.store.elasticsearch import mapping
from timeline.store.elasticsearch.client import Cluster, status_of


def prepare(cluster: Cluster) -> None:
    """Put the template; raises ``StoreUnavailable`` where another release or product wrote here."""
    _check_versions(cluster)
    prefix = cluster.prefix
    cluster.ask(
        "PUT",
        f"/_index_template/{prefix}-facts",
        mapping.facts_template(prefix),
        doing="putting the index template",
    )


def _check_versions(cluster: Cluster) -> None:
    patterns = (
        f"{mapping.facts_pattern(cluster.prefix)},{cluster.prefix}-dictionaries*,{cluster.prefix}-entities*"
    )
    found = cluster.ask(
        "GET",
        f"/{patterns}/_mapping",
        params={"filter_path": "-*.mappings.properties", "ignore_unavailable": "true"},
        doing="reading the versions of the indices",
    )
    for name, index in sorted((found or {}).items()):
        meta = index.get("mappings", {}).get("_meta", {}).get("throughline")
        if not isinstance(meta, dict):
            raise StoreUnavailable(
                f"index {name} is not ours",
                remedy="give THROUGHLINE_STORE_URL a prefix that nothing else uses",
            )
        if meta.get("version") != mapping.VERSION:
            raise StoreUnavailable(
                f"index {name} was written with index version {meta.get('version')}, "
                f"this release reads {mapping.VERSION}",
                remedy="run the release that wrote it, or use another prefix and send the facts again",
            )


def ensure(cluster: Cluster, index: str, body: dict[str, Any]) -> None:
    """Make an index where it is missing."""
    try:
        cluster.ask("PUT", f"/{index}", body, doing=f"making index {index}")
    except StoreUnavailable as error:
        if "resource_already_exists_exception" not in error.message:
            raise


def check(cluster: Cluster) -> None:
    """Raise ``StoreUnavailable`` where a write or a search would fail now."""
    indices = f"{cluster.prefix}-*"
    health = cluster.ask("GET", f"/_cluster/health/{indices}", doing="asking for its health")
    if health["status"] == "red":
        raise StoreUnavailable(
            f"the cluster is red: {health['unassigned_shards']} shards of {indices} are unassigned",
            remedy="bring the missing nodes back, or restore from a snapshot",
        )
    blocked = cluster.ask(
        "GET",
        f"/{indices}/_settings/index.blocks.*",
        params={"flat_settings": "true"},
        doing="asking for blocks",
    )
    for name, index in sorted((blocked or {}).items()):
        if "true" in index.get("settings", {}).values():
            raise StoreUnavailable(
                f"index {name} is blocked: {', '.join(sorted(index['settings']))}",
                remedy="free disk on the nodes of the cluster; Elasticsearch then lifts the block",
            )


def size(cluster: Cluster) -> dict[str, int]:
    """``facts`` and ``bytes`` held; refreshes first, so that nothing durable is left out."""
    pattern = mapping.facts_pattern(cluster.prefix)
    cluster.ask("POST", f"/{pattern}/_refresh", doing="counting facts")
    answer = cluster.ask(
        "GET",
        f"/{pattern}/_stats/docs,store",
        params={"filter_path": "_all.primaries.docs.count,_all.total.store.size_in_bytes"},
        doing="counting facts",
    )
    every = answer.get("_all", {})
    return {
        "facts": int(every.get("primaries", {}).get("docs", {}).get("count", 0)),
        "bytes": int(every.get("total", {}).get("store", {}).get("size_in_bytes", 0)),
    }


class Shelf:
    """Dictionaries as documents; their number is their id, so none is ever replaced."""

    remedy: Final = "restore the index of facts and the one of dictionaries from one snapshot"

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._index = mapping.dictionaries_index(cluster.prefix)

    def numbers(self) -> list[int]:
        """The dictionaries there are, those of this moment included."""
        refreshed = self._cluster.found("POST", f"/{self._index}/_refresh", doing="looking for dictionaries")
        if refreshed is None:
            return []
        answer = self._cluster.ask(
            "POST",
            f"/{self._index}/_search",
            {"size": 1000, "_source": False, "docvalue_fields": ["number"], "sort": ["number"]},
            params={"allow_partial_search_results": "false"},
            doing="looking for dictionaries",
        )
        return [int(hit["fields"]["number"][0]) for hit in answer["hits"]["hits"]]

    def load(self, number: int) -> bytes | None:
        """A dictionary, if there is one of that number."""
        found = self._cluster.found("GET", f"/{self._index}/_doc/{number}", doing="reading a dictionary")
        return b64decode(found["_source"]["data"]) if found else None

    def keep(self, number: int, data: bytes) -> bool:
        """Keep a new dictionary durably; false where another process took the number."""
        ensure(self._cluster, self._index, mapping.dictionaries_body())
        document = {"number": number, "data": b64encode(data).decode("ascii")}
        try:
            self._cluster.ask(
                "PUT",
                f"/{self._index}/_doc/{number}",
                document,
                params={"op_type": "create"},
                doing="keeping a dictionary",
            )
        except StoreUnavailable as error:
            if isinstance(error.__cause__, Exception) and status_of(error.__cause__) == 409:
                return False
            raise
        return True
