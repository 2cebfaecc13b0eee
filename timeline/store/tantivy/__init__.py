"""The embedded store: a tantivy index in one folder, written by one process, read by many.

In: facts and questions of ``timeline.store.port``. Out: its answers, from the newest
commit of the writing process, which readers see at once. Not here: more than one writing
process, other machines.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from timeline.domain import Stored
from timeline.errors import StoreUnavailable
from timeline.search.query import Query, Window
from timeline.storable import Storable
from timeline.store.codec import Codec
from timeline.store.port import (
    Bucket,
    Cohort,
    CohortQuery,
    Count,
    Facet,
    ItemReport,
    Order,
    Overview,
    Page,
    Sighting,
    Summary,
)
from timeline.store.tantivy import folder
from timeline.store.tantivy.entities import Entities
from timeline.store.tantivy.reader import Reader
from timeline.store.tantivy.shelf import FolderShelf
from timeline.store.tantivy.writer import Writer

__all__ = ["TantivyStore"]

LOW_DISK: Final = 64 * 1024 * 1024  # below this a commit or a merge is likely to fail


class TantivyStore:
    """``timeline.store.port.Store`` on a folder; only one process may open it ``writable``.

    ``path`` is the index folder. A writable store makes it when asked to ``prepare`` (or at
    the first use) and holds the writer's lock until ``close``.
    """

    visibility_lag = 0  # every question looks at the newest commit
    elsewhere = False

    def __init__(self, path: Path | str, *, writable: bool) -> None:
        self._path, self._writable = Path(path), writable
        codec = Codec(FolderShelf(self._path))
        self._codec, self._reader = codec, Reader(self._path, codec)
        self._entities = Entities(self._path, codec)
        self._opened: Writer | None = None

    def prepare(self) -> None:
        """Make the index where it is missing and take the writer's lock; a reader opens it."""
        if self._writable:
            self._writer()
            self._entities.prepare()
        else:
            self._reader.state()

    def _writer(self) -> Writer:
        if not self._writable:
            raise StoreUnavailable(
                "this process only reads the embedded index",
                remedy="leave writing to the worker: one process writes an embedded index",
            )
        if self._opened is None:
            folder.create(self._path)
            self._opened = Writer(self._path, self._codec, self._reader)
        return self._opened

    def write(self, facts: Sequence[Storable], *, visible: bool = False) -> list[ItemReport]:
        """Store facts once each; what is durable here is visible too."""
        return self._writer().write(facts)

    def search(
        self, query: Query, *, limit: int = 50, order: Order = "newest", cursor: str | None = None
    ) -> Page:
        """One page of facts; raises ``BadQuery`` for a cursor that is not ours."""
        return self._reader.search(query, limit, order, cursor)

    def count(self, query: Query, *, limit: int | None = None) -> Count:
        """How many match, exactly unless ``limit`` cuts it short."""
        return self._reader.count(query, limit)

    def overview(
        self,
        query: Query,
        *,
        limit: int = 50,
        order: Order = "newest",
        cursor: str | None = None,
        count_to: int | None = None,
    ) -> Overview:
        """A page, the count and the ends of all matches; raises ``BadQuery`` as ``search`` does."""
        return self._reader.overview(query, limit, order, cursor, count_to)

    def facets(self, query: Query, fields: Sequence[str], *, limit: int = 10) -> list[Facet]:
        """Value counts for each name asked, in the order asked."""
        return self._reader.facets(query, fields, limit)

    def histogram(self, query: Query, *, interval: int) -> list[Bucket]:
        """Counts per ``interval`` ns; needs both ends of the window."""
        return self._reader.histogram(query, interval)

    def facts_of(self, query: Query) -> Iterator[Stored]:
        """Every matching fact, oldest first, streamed."""
        return self._reader.facts_of(query)

    def get(self, ids: Sequence[str], *, workspace: str = "main") -> list[Stored | None]:
        """Whole facts by id, in the order asked."""
        return self._reader.get(ids, workspace)

    def group(self, identity: str, *, workspace: str = "main") -> list[Stored]:
        """Every fact of one identity, smallest content hash first."""
        return self._reader.group(identity, workspace)

    def sightings(self, queries: Sequence[Query]) -> list[Sighting]:
        """One sighting per query, in order."""
        return self._reader.sightings(queries)

    def missing(self, window: Window) -> tuple[str, ...]:
        """A sentence for each part of the window that no answer holds; does not wait for a store that is away."""
        return ()

    def expire(self, before: int, *, workspace: str = "main") -> int:
        """Remove facts placed before ``before`` (ns); returns how many went."""
        gone = self._writer().expire(before, workspace)
        self._entities.expire(before, workspace)
        return gone

    def put_summaries(self, summaries: Sequence[Summary], *, visible: bool = False) -> None:
        """Keep one summary per entity, the latest read; what is durable here is visible too."""
        self._writer()
        self._entities.put(summaries)

    def summaries(self, entities: Sequence[str], *, workspace: str = "main") -> list[Summary | None]:
        """Summaries by entity (``type:id``), in the order asked."""
        return self._entities.get(entities, workspace)

    def cohort(self, query: CohortQuery) -> Cohort:
        """One page of the entities asked for; raises ``BadQuery`` for a cursor that is not ours."""
        return self._entities.cohort(query)

    def size(self, *, seen: bool = False) -> dict[str, int]:
        """``facts`` and ``bytes`` held: all that is durable here is seen."""
        return {"facts": self._reader.held(), "bytes": folder.disk_bytes(self._path) + self._entities.bytes()}

    def check(self) -> None:
        """Raise ``StoreUnavailable`` where a write or a search would fail now."""
        if self._writable:
            self._writer()
            self._entities.prepare()
        self._reader.state()
        self._entities.check()
        disk = os.statvfs(self._path)
        if self._writable and disk.f_bavail * disk.f_frsize < LOW_DISK:
            raise StoreUnavailable(
                f"the disk of {self._path} is full",
                remedy="free some space, or shorten the retention",
            )

    def close(self) -> None:
        """Finish what is under way and let go of files and the writer's lock."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        self._entities.close()
        self._reader.close()

    def __enter__(self) -> TantivyStore:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()
