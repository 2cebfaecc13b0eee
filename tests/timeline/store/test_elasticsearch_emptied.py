"""A cluster that was emptied or replaced under a running node gets our indices again, or none."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from tests import builders as b
from tests.contract.pair import asking
from tests.contract.summaries import summary
from tests.servers import elasticsearch
from timeline.domain import Stored
from timeline.errors import StoreUnavailable
from timeline.search.query import All
from timeline.store.elasticsearch import shelf
from timeline.store.elasticsearch.store import ElasticsearchStore

pytestmark = pytest.mark.server


class Cluster:
    """A prefix of the run's own cluster that can be emptied."""

    def __init__(self) -> None:
        self.address, self.prefix = elasticsearch.shared(), f"emptied-{uuid.uuid4().hex[:12]}"

    def ask(self, method: str, path: str) -> bytes:
        """A request behind the product's back."""
        return elasticsearch.call(self.address, method, path)

    def open(self) -> ElasticsearchStore:
        """The store as one more process opens it."""
        store = ElasticsearchStore(f"elasticsearch://{self.address}/{self.prefix}")
        store.prepare()
        return store

    def indices(self) -> list[str]:
        """The indices there are."""
        return self.ask("GET", f"/_cat/indices/{self.prefix}-*?h=index").decode().split()

    def empty(self) -> None:
        """Drop everything."""
        if left := self.indices():
            self.ask("DELETE", "/" + ",".join(left))

    def ours(self) -> bool:
        """Whether every index has our mapping."""
        said = json.loads(self.ask("GET", f"/{self.prefix}-*/_mapping"))
        return all(
            "_meta" in one["mappings"] and one["mappings"]["dynamic"] == "false" for one in said.values()
        )


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.empty()


def _facts(start: int, count: int) -> list[Stored]:
    return [
        b.stored(b.span(number=n, start=b.NOW + n, attributes={"n": n, "note": f"number {n * 7919}"}))
        for n in range(start, start + count)
    ]


def _held(cluster: Cluster) -> list[Stored]:
    with cluster.open() as other:
        return list(other.facts_of(asking(All())))


def test_what_is_stored_after_it_was_emptied_is_whole_for_every_process(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "FRESH", 0.0)
    with cluster.open() as store:
        store.write(_facts(0, 1_500), visible=True)  # enough to learn a dictionary
        store.put_summaries([summary("bet:1", "Placed")])
        cluster.empty()
        again = _facts(2_000, 1_500)
        assert {"stored"} == {report.outcome for report in store.write(again, visible=True)}
        store.put_summaries([summary("bet:2", "Placed")])
        assert again == _held(cluster)
        assert [None, "bet:2"] == [one and one.entity for one in store.summaries(["bet:1", "bet:2"])]
    assert cluster.ours()


def test_what_was_written_while_nobody_had_noticed_is_refused_and_whole_at_the_next_try(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "FRESH", 3600.0)
    with cluster.open() as store:
        store.write(_facts(0, 1_500), visible=True)
        cluster.empty()
        again = _facts(2_000, 1_500)
        with pytest.raises(StoreUnavailable, match="emptied or replaced"):
            store.write(again, visible=True)
        store.write(again, visible=True)  # as the drain does
        assert again == _held(cluster)
    assert cluster.ours()


def test_two_processes_agree_on_dictionaries_although_one_of_them_missed_it(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "FRESH", 0.0)
    with cluster.open() as old:
        old.write(_facts(0, 1_500))
        cluster.empty()
        with cluster.open() as new:
            first = _facts(2_000, 1_500)
            new.write(first)  # learns another first dictionary
        rest = _facts(4_000, 1_500)
        old.write(rest, visible=True)
        assert first + rest == _held(cluster)
        assert first + rest == list(old.facts_of(asking(All())))


def test_an_index_of_somebody_elses_making_is_never_written_to(cluster: Cluster) -> None:
    with cluster.open() as store:
        cluster.ask("PUT", f"/{cluster.prefix}-facts-2026.09.21")
        with pytest.raises(StoreUnavailable, match="not ours"):
            store.write(_facts(0, 3))
        count = cluster.ask("GET", f"/{cluster.prefix}-facts-2026.09.21/_count")
    assert 0 == json.loads(count)["count"]
