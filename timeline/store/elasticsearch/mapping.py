"""What the cluster is told to make of a fact: fields, settings, and which release wrote them.

The document of a fact is indexed and not kept (``_source`` off): the fact itself is one
compressed value among the doc values, which lists, traces and streams read without touching
stored fields. Attribute keys never become fields.
"""

from __future__ import annotations

from typing import Any, Final

from timeline.search.query import FACETS

VERSION: Final = 3
REFRESH_SECONDS: Final = 2
MAX_WINDOW: Final = 10_001  # rows of one answer: the largest page and one more
_DICTIONARIES, _ENTITIES = "dictionaries", "entities"


def facts_pattern(prefix: str) -> str:
    """All indices of facts."""
    return f"{prefix}-facts-*"


def facts_index(prefix: str, day: str) -> str:
    """The index of the facts of a day, or of ``odd`` ones."""
    return f"{prefix}-facts-{day}"


def way_in(index: str, prefix: str) -> str:
    """The alias that everything is written through.

    The cluster makes an index of any name that is written to, with a mapping of its own making. It
    makes no alias: what is written through one lands in an index of ours or nowhere.
    """
    return f"{prefix}-into-{index.removeprefix(f'{prefix}-').removeprefix('facts-')}"


def dictionaries_index(prefix: str) -> str:
    """Where compression dictionaries are kept."""
    return f"{prefix}-{_DICTIONARIES}"


def entities_index(prefix: str) -> str:
    """Where summaries are kept."""
    return f"{prefix}-{_ENTITIES}"


def _text(positions: bool) -> dict[str, Any]:
    options = "positions" if positions else "docs"
    return {"type": "text", "analyzer": "whitespace", "norms": False, "index_options": options}


def _sorted_only() -> dict[str, Any]:
    return {"type": "long", "index": False}


def _meta() -> dict[str, Any]:
    return {"throughline": {"version": VERSION}}


def facts_mappings() -> dict[str, Any]:
    """The fields of a fact."""
    fields: dict[str, Any] = {
        "kv": _text(positions=False),
        "long": {"type": "keyword", "doc_values": False},  # tokens over what ``kv`` can hold
        "text": _text(positions=True),
        "placed": {"type": "long"},
        "ms": _sorted_only(),  # ``placed`` again: histograms count in doubles, exact for ms only
        "received": {"type": "long"},
        "tie": _sorted_only(),
        "high": _sorted_only(),
        "low": _sorted_only(),
        "duration": {"type": "long"},
        "whole": {"type": "binary", "doc_values": True},
    }
    fields.update({name: {"type": "keyword"} for name in FACETS})
    return {"dynamic": False, "_meta": _meta(), "_source": {"enabled": False}, "properties": fields}


def facts_body() -> dict[str, Any]:
    """The index of the facts of a day."""
    return {
        "settings": {
            "index": {
                "number_of_shards": 1,
                "auto_expand_replicas": "0-1",
                "codec": "best_compression",
                "refresh_interval": f"{REFRESH_SECONDS}s",
                "max_result_window": MAX_WINDOW,
                "translog.durability": "request",
            }
        },
        "mappings": facts_mappings(),
    }


def dictionaries_body() -> dict[str, Any]:
    """The index of dictionaries: a copy on every node, for facts cannot be read without."""
    return {
        "settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-all"}},
        "mappings": {
            "dynamic": False,
            "_meta": _meta(),
            "properties": {"number": {"type": "long"}, "data": {"type": "binary"}},
        },
    }


def entities_body() -> dict[str, Any]:
    """The index of summaries: one document per entity, replaced by newer reads."""
    keyword = {"type": "keyword", "doc_values": False}
    fields = {
        "kind": keyword,  # workspace and type
        "steps": keyword,
        "environments": keyword,
        "quiet_since": {"type": "long"},
        "last": {"type": "long", "doc_values": False},
        "workspace": keyword,
        "entity": {"type": "keyword", "index": False},  # for the order
        "summary": {"type": "binary"},
    }
    index = {
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        "codec": "best_compression",
        "refresh_interval": f"{REFRESH_SECONDS}s",
        "max_result_window": MAX_WINDOW,
        "gc_deletes": "0s",  # what has expired may be put again at once
    }
    return {
        "settings": {"index": index},
        "mappings": {"dynamic": False, "_meta": _meta(), "properties": fields},
    }
