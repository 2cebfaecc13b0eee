"""The dictionaries that facts are compressed with, as documents of the cluster."""

from __future__ import annotations

import threading
import time
from base64 import b64decode, b64encode
from typing import Final

from timeline.errors import StoreUnavailable
from timeline.store.codec import Codec, Packer
from timeline.store.elasticsearch import mapping
from timeline.store.elasticsearch.admin import ensure
from timeline.store.elasticsearch.client import Cluster, status_of

FRESH: Final = 1.0  # s for which nobody looks again whether the shelf is still there


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

    def mark(self) -> str:
        """What stays the same as long as this is the same shelf; empty where there is none."""
        found = self._cluster.found(
            "GET",
            f"/{self._index}/_settings/index.uuid",
            params={"flat_settings": "true"},
            doing="looking for dictionaries",
        )
        settings = (found or {}).get(self._index, {}).get("settings", {})
        return str(settings.get("index.uuid", ""))

    def load(self, number: int) -> bytes | None:
        """A dictionary, if there is one of that number."""
        found = self._cluster.found("GET", f"/{self._index}/_doc/{number}", doing="reading a dictionary")
        return b64decode(found["_source"]["data"]) if found else None

    def keep(self, number: int, data: bytes) -> bool:
        """Keep a new dictionary durably; false where another process took the number."""
        ensure(self._cluster, self._index, mapping.dictionaries_body())
        way_in = mapping.way_in(self._index, self._cluster.prefix)
        document = {"number": number, "data": b64encode(data).decode("ascii")}
        try:
            self._cluster.ask(
                "PUT",
                f"/{way_in}/_doc/{number}",
                document,
                params={"op_type": "create", "require_alias": "true"},
                doing="keeping a dictionary",
            )
        except StoreUnavailable as error:
            if isinstance(error.__cause__, Exception) and status_of(error.__cause__) == 409:
                return False
            raise
        return True


class Standing:
    """Sees to it that facts are only confirmed while the dictionaries they need are kept.

    A cluster that was emptied or replaced under a running node has lost them, and the node still
    holds them: it puts them back.
    """

    def __init__(self, shelf: Shelf, codec: Codec) -> None:
        self._shelf, self._codec = shelf, codec
        self._lock = threading.Lock()
        self._mark, self._looked = "", -FRESH

    def begin(self, packer: Packer) -> str:
        """What marks the shelf now, put in order where it is another one than before."""
        with self._lock:
            if time.monotonic() - self._looked < FRESH:
                return self._mark
            mark = self._shelf.mark()
            if mark != self._mark:
                if self._mark and not self._codec.keep_again():
                    self._codec.forget()
                    packer.restart()
                mark = self._shelf.mark()
            self._mark, self._looked = mark, time.monotonic()
            return mark

    def confirm(self, mark: str) -> None:
        """Raise ``StoreUnavailable`` where the shelf is no longer the one that ``mark`` was of."""
        now = self._shelf.mark()
        with self._lock:
            if mark in ("", now):
                self._mark, self._looked = now, time.monotonic()
                return
            self._looked = -FRESH
        raise StoreUnavailable(
            "the cluster was emptied or replaced while facts were being stored",
            remedy="they are stored again by themselves",
        )
