"""``timeline.store.port.Store`` on Elasticsearch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from timeline.domain import Stored
from timeline.search.query import Query, Window
from timeline.storable import Storable
from timeline.store.codec import Codec, Packer
from timeline.store.elasticsearch import admin, mapping
from timeline.store.elasticsearch.address import read_address
from timeline.store.elasticsearch.bulk import Writer
from timeline.store.elasticsearch.client import Cluster
from timeline.store.elasticsearch.counting import Counting
from timeline.store.elasticsearch.days import Days
from timeline.store.elasticsearch.entities import Entities
from timeline.store.elasticsearch.expiry import Expiry
from timeline.store.elasticsearch.fetch import Fetch
from timeline.store.elasticsearch.reader import Reader
from timeline.store.elasticsearch.shelf import Shelf, Standing
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

__all__ = ["ElasticsearchStore"]


class ElasticsearchStore:
    """A store on a cluster; any number of processes may hold one on the same data.

    ``url`` is what ``address.read_address`` reads, or a ``cluster`` is given ready-made.
    ``retention_days`` bounds the days that facts may make indices for. Nothing is asked of the
    cluster before ``prepare`` or the first call.
    """

    visibility_lag = (mapping.REFRESH_SECONDS + 1) * 1_000_000_000  # a refresh takes its time

    elsewhere = True

    def __init__(self, url: str = "", *, retention_days: int = 14, cluster: Cluster | None = None) -> None:
        self._cluster = Cluster(read_address(url)) if cluster is None else cluster
        shelf = Shelf(self._cluster)
        codec = Codec(shelf)
        days = Days(self._cluster, retention_days)
        self._fetch = fetch = Fetch(self._cluster, codec, days)
        self._writer = Writer(self._cluster, Packer(codec), fetch, days, Standing(shelf, codec))
        self._reader = Reader(fetch)
        self._counting = Counting(fetch, self._reader)
        self._expiry = Expiry(fetch, self._writer)
        self._entities = Entities(self._cluster)

    def prepare(self) -> None:
        """Raises ``StoreUnavailable`` where another release wrote here; days are made by their first fact."""
        self._fetch.recognise(anew=True)

    def write(self, facts: Sequence[Storable], *, visible: bool = False) -> list[ItemReport]:
        """Store facts once each; returns when the cluster confirmed every one."""
        return self._writer.write(facts, visible=visible)

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
        return self._counting.facets(query, fields, limit)

    def histogram(self, query: Query, *, interval: int) -> list[Bucket]:
        """Counts per ``interval`` ns; needs both ends of the window."""
        return self._counting.histogram(query, interval)

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
        return self._reader.missing(window)

    def expire(self, before: int, *, workspace: str = "main") -> int:
        """Remove facts placed before ``before`` (ns), and summaries; returns how many facts went.

        Cheapest where ``before`` is a midnight UTC: then it drops whole days.
        """
        removed = self._expiry.expire(before, workspace)
        self._entities.expire(before, workspace)
        return removed

    def put_summaries(self, summaries: Sequence[Summary], *, visible: bool = False) -> None:
        """Keep one summary per entity, the latest read; durable, else raises ``Unavailable``."""
        self._entities.put(summaries, visible=visible)

    def summaries(self, entities: Sequence[str], *, workspace: str = "main") -> list[Summary | None]:
        """Summaries by entity (``type:id``), in the order asked."""
        return self._entities.get(entities, workspace)

    def cohort(self, query: CohortQuery) -> Cohort:
        """One page of the entities asked for; raises ``BadQuery`` for a cursor that is not ours."""
        return self._entities.cohort(query)

    def size(self, *, seen: bool = False) -> dict[str, int]:
        """``facts`` and ``bytes`` held; what is not visible yet included, unless only what is ``seen`` is asked."""
        return admin.size(self._cluster, seen=seen)

    def check(self) -> None:
        """Raise ``StoreUnavailable`` where a write or a search would fail now."""
        admin.check(self._cluster)

    def close(self) -> None:
        """Finish what is being written, let others see it, and let go of the sockets."""
        self._writer.close()
        self._entities.refresh()
        self._cluster.close()

    def __enter__(self) -> ElasticsearchStore:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()
