"""Making, recognising and judging the indices of one prefix."""

from __future__ import annotations

from typing import Any

from timeline.errors import StoreUnavailable
from timeline.store.elasticsearch import mapping
from timeline.store.elasticsearch.client import Cluster


def recognise(cluster: Cluster) -> None:
    """Raise ``StoreUnavailable`` where another release or product wrote here."""
    prefix = cluster.prefix
    _recognise_indices(cluster, f"{mapping.facts_pattern(prefix)},{prefix}-dictionaries*,{prefix}-entities*")


def _recognise_indices(cluster: Cluster, indices: str) -> None:
    found = cluster.ask(
        "GET",
        f"/{indices}/_mapping",
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


def ensure(cluster: Cluster, index: str, body: dict[str, Any]) -> bool:
    """Make an index and the way into it where they are missing; true where the index was made now.

    Raises ``StoreUnavailable`` where there is an index of that name which is not ours.
    """
    alias = mapping.way_in(index, cluster.prefix)
    try:
        cluster.ask("PUT", f"/{index}", {**body, "aliases": {alias: {}}}, doing=f"making index {index}")
    except StoreUnavailable as error:
        if "resource_already_exists_exception" not in error.message:
            raise
    else:
        return True
    _recognise_indices(cluster, index)
    cluster.found("PUT", f"/{index}/_alias/{alias}", doing=f"opening the way into {index}")
    return False


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


def size(cluster: Cluster, *, seen: bool) -> dict[str, int]:
    """``facts`` and ``bytes`` held; refreshes first, so that nothing durable is left out, unless only what is
    ``seen`` by now is asked for."""
    pattern = mapping.facts_pattern(cluster.prefix)
    if not seen:
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
