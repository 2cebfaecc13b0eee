"""What only a real cluster shows: other writers, blocks, missing shards, and a node that goes away."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import builders as b
from tests.contract.pair import asking
from tests.servers import elasticsearch
from timeline.errors import StoreUnavailable
from timeline.search.query import All, AttributeIs, FieldIs, Window
from timeline.store.elasticsearch import bulk, client, days, expiry, fetch
from timeline.store.elasticsearch.store import ElasticsearchStore
from timeline.store.port import PartlyStored

pytestmark = pytest.mark.server
DAY = "2026.09.21"  # of ``b.NOW``


class Site:
    """One prefix of the run's own cluster, and what operators do to it."""

    def __init__(self) -> None:
        self.address = elasticsearch.shared()
        self.prefix = f"site-{uuid.uuid4().hex[:12]}"

    def open(self, **options: int) -> ElasticsearchStore:
        """The store as one more process would open it."""
        store = ElasticsearchStore(f"elasticsearch://{self.address}/{self.prefix}", **options)
        store.prepare()
        return store

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        """A request behind the product's back; ``{}`` in the path is the prefix."""
        request = urllib.request.Request(
            f"http://{self.address}{path.format(self.prefix)}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            said: bytes = answer.read()
            return said

    def days(self) -> list[str]:
        """The indices of this prefix."""
        return self.ask("GET", "/_cat/indices/{}-*?h=index").decode().split()


@pytest.fixture
def site() -> Iterator[Site]:
    """An empty prefix."""
    site = Site()
    yield site
    if left := site.days():
        site.ask("DELETE", "/" + ",".join(left))


@pytest.fixture
def store(site: Site) -> Iterator[ElasticsearchStore]:
    """A store on it."""
    with site.open() as store:
        yield store


def test_an_index_of_another_version_is_named_and_not_touched(site: Site, store: ElasticsearchStore) -> None:
    store.write([b.stored()], visible=True)
    meta = {"_meta": {"throughline": {"version": 999}}}
    site.ask("PUT", f"/{{}}-facts-{DAY}/_mapping", meta)
    with pytest.raises(StoreUnavailable, match="index version 999") as raised:
        site.open()
    assert "prefix" in raised.value.remedy


def test_an_index_that_is_not_ours_is_named_and_not_touched(site: Site, store: ElasticsearchStore) -> None:
    site.ask("PUT", "/{}-facts-mine")
    with pytest.raises(StoreUnavailable, match="is not ours"):
        store.prepare()


def test_facts_go_to_the_index_of_their_own_day_and_odd_ones_apart(
    site: Site, store: ElasticsearchStore
) -> None:
    times = [b.NOW, b.NOW + b.DAY, None, 5, 946_684_800 * b.SECOND]
    store.write([b.stored(b.span(number=n, start=at)) for n, at in enumerate(times)])
    expected = [f"{site.prefix}-facts-{day}" for day in ("2000.01.01", DAY, "2026.09.22", "odd")]
    assert expected == sorted(site.days())


def test_days_outside_the_retention_are_bounded_and_the_rest_is_refused_with_the_reason(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = 5
    assert outside < days.OUTSIDE == 64
    monkeypatch.setattr(days, "OUTSIDE", outside)
    first = 946_684_800 * b.SECOND
    facts = [b.stored(b.span(number=n, start=first + n * b.DAY)) for n in range(outside + 3)]
    with site.open(retention_days=1) as store:
        outcomes = [report.outcome for report in store.write(facts)]
        again = [report.outcome for report in store.write(facts)]
    assert ["stored"] * outside + ["refused"] * 3 == outcomes
    assert ["already"] * outside + ["refused"] * 3 == again
    with site.open(retention_days=1) as other:
        (report,) = other.write(facts[-1:])
    assert "retention of 1 days" in report.reason


def test_an_item_the_cluster_cannot_keep_is_refused_alone(site: Site, store: ElasticsearchStore) -> None:
    store.write([b.stored()], visible=True)
    site.ask("PUT", f"/{{}}-facts-{DAY}/_settings", {"index.mapping.total_fields.limit": 1000})
    deep: object = "end"
    for _ in range(900):
        deep = {"a": deep}
    facts = [
        b.stored(b.span(number=2)),
        b.stored(b.span(number=3, attributes={"deep": deep})),
        b.stored(b.span(number=4)),
    ]
    reports = store.write(facts, visible=True)
    assert ["stored", "stored"] == [reports[0].outcome, reports[2].outcome]
    kept = store.get([fact.receipt.id for fact in facts])
    assert facts[0] == kept[0]
    assert facts[2] == kept[2]
    assert (reports[1].outcome == "stored") == (kept[1] == facts[1])


def test_a_fact_of_megabytes_comes_back_whole(store: ElasticsearchStore) -> None:
    text = "".join(chr(97 + (n * n) % 26) for n in range(3_000_000))
    own = b.stored(b.span(attributes={"large": text, "more": list(range(50_000))}))
    (report,) = store.write([own], visible=True)
    assert "stored" == report.outcome
    assert [own] == list(store.facts_of(asking(AttributeIs("large", text))))


def test_a_blocked_index_is_unavailable_within_bounds_and_takes_the_batch_later(
    site: Site, store: ElasticsearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PATIENCE", 0.5)
    store.write([b.stored()], visible=True)
    site.ask("PUT", f"/{{}}-facts-{DAY}/_settings", {"index.blocks.read_only_allow_delete": True})
    batch = [b.stored(b.span(number=n)) for n in range(2, 40)]
    with pytest.raises(StoreUnavailable, match="block") as raised:
        store.write(batch)
    assert "disk" in raised.value.remedy
    with pytest.raises(StoreUnavailable, match="blocked"):
        store.check()
    site.ask("PUT", f"/{{}}-facts-{DAY}/_settings", {"index.blocks.read_only_allow_delete": None})
    assert {"stored"} == {report.outcome for report in store.write(batch)}
    store.check()


def test_a_block_that_is_lifted_in_time_is_not_even_noticed(site: Site, store: ElasticsearchStore) -> None:
    store.write([b.stored()], visible=True)
    site.ask("PUT", f"/{{}}-facts-{DAY}/_block/write")
    lift = threading.Timer(
        0.5, site.ask, ("PUT", f"/{{}}-facts-{DAY}/_settings", {"index.blocks.write": None})
    )
    lift.start()
    reports = store.write([b.stored(b.span(number=n)) for n in range(2, 40)], visible=True)
    lift.join()
    assert {"stored"} == {report.outcome for report in reports}
    assert 39 == store.count(asking(All())).value


def test_a_missing_shard_makes_answers_partial_or_an_error_and_never_smaller(
    site: Site, store: ElasticsearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (client, fetch):
        monkeypatch.setattr(module, "STARTING", 0.2)
    store.write([b.stored()], visible=True)
    lost = {"settings": {"index.routing.allocation.require._name": "nobody"}}
    site.ask("PUT", "/{}-facts-2026.09.20?wait_for_active_shards=0", lost)
    query = asking(All(), window=Window(start=b.NOW - b.DAY, end=b.NOW + b.DAY))
    for partial in (
        store.search(query).partial,
        store.count(query).partial,
        store.sightings([query])[0].partial,
    ):
        assert 1 == len(partial)
        assert "shard" in partial[0]
    for ask in (
        lambda: store.facets(query, ["service"]),
        lambda: store.histogram(query, interval=b.HOUR),
        lambda: list(store.facts_of(query)),
        lambda: store.group(b.stored().receipt.identity),
        store.check,
    ):
        with pytest.raises(StoreUnavailable):
            ask()
    today = asking(All(), window=Window(start=b.NOW, end=b.NOW + b.SECOND))
    assert () == store.search(today).partial
    assert [b.stored()] == store.get([b.stored().receipt.id])


def test_processes_that_write_the_same_facts_at_once_store_each_once(site: Site) -> None:
    facts = list(b.facts(1_500))

    def work(_: int) -> list[str]:
        with site.open() as store:
            return [report.outcome for report in store.write(facts)]

    with ThreadPoolExecutor(3) as threads:
        outcomes = [outcome for done in threads.map(work, range(3)) for outcome in done]
    assert (1_500, 3_000) == (outcomes.count("stored"), outcomes.count("already"))
    with site.open() as store:
        assert 1_500 == store.count(asking(All())).value


def test_dictionaries_of_several_writers_are_read_by_all(site: Site) -> None:
    with site.open() as one, site.open() as other:
        for number, store in enumerate((one, other)):  # before there is any dictionary to take up
            store.write([b.stored(b.span(number=number))])
        for number, store in enumerate((one, other)):
            start = b.NOW + number * b.MINUTE
            for seed in (1, 2, 3):
                store.write(list(b.facts(1_500, seed=number * 10 + seed, start=start + seed * b.SECOND * 5)))
    with site.open() as reader:
        found = list(reader.facts_of(asking(All())))
        assert reader.count(asking(All())).value == len(found)
        assert len({stored.receipt.id for stored in found}) == len(found) > 8_000
    said = json.loads(site.ask("GET", "/{}-dictionaries/_count"))
    assert 2 <= said["count"]


def test_a_past_day_is_dropped_whole_and_a_shared_one_fact_by_fact(
    site: Site, store: ElasticsearchStore
) -> None:
    def day(number: int, workspace: str) -> list:
        start = b.NOW + number * b.DAY
        return [b.stored(b.span(number=n, start=start + n), workspace=workspace) for n in range(20)]

    store.write(day(0, "main") + day(1, "main") + day(1, "other") + day(2, "main"))
    began = time.monotonic()
    assert 40 == store.expire(b.NOW + 2 * b.DAY - b.HOUR)
    assert time.monotonic() - began < expiry.FREEING / 4, "it waited for the disk of a few facts"
    assert [f"{site.prefix}-facts-2026.09.22", f"{site.prefix}-facts-2026.09.23"] == sorted(site.days())
    assert 20 == store.count(asking(All(), workspace="other")).value
    assert 20 == store.count(asking(All())).value
    assert {"stored"} == {report.outcome for report in store.write(day(0, "main"), visible=True)}
    assert 40 == store.count(asking(All())).value


def test_confirmed_facts_are_seen_after_the_lag_without_being_asked_for(store: ElasticsearchStore) -> None:
    store.write([b.stored()])
    deadline = threading.Event()
    for _ in range(store.visibility_lag // 100_000_000):
        if store.count(asking(FieldIs("service", "orders"))).value:
            break
        deadline.wait(0.1)
    assert 1 == store.count(asking(FieldIs("service", "orders"))).value


@pytest.mark.slow
def test_a_cluster_that_goes_away_is_unavailable_and_keeps_all_it_confirmed() -> None:
    facts = list(b.facts(400))
    with elasticsearch.Elasticsearch(heap="512m") as node:
        store = ElasticsearchStore(f"elasticsearch://127.0.0.1:{node.port}/kept")
        store.prepare()
        store.write(facts[:200])
        node.crash()
        for ask in (
            lambda: store.write(facts[200:]),
            lambda: store.count(asking(All())),
            lambda: list(store.facts_of(asking(All()))),
            store.check,
        ):
            with pytest.raises(StoreUnavailable):
                ask()
        node.start()
        reports = store.write(facts, visible=True)
        assert ["already"] * 200 + ["stored"] * 200 == [report.outcome for report in reports]
        assert facts == sorted(store.facts_of(asking(All())), key=lambda stored: stored.receipt.tie)
        store.close()


def test_a_day_that_is_blocked_holds_no_other_day_back(
    site: Site, store: ElasticsearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "LOST", 0.2)
    store.write([b.stored()])
    site.ask("PUT", f"/{{}}-facts-{DAY}/_block/write")
    facts = [b.stored(b.span(number=n, start=b.NOW + n % 2 * b.DAY)) for n in range(2, 12)]
    for _ in range(2):  # the second time the day is known to be away, and nothing is waited for
        began = time.monotonic()
        with pytest.raises(PartlyStored) as raised:
            store.write(facts)
        outcomes = [report and report.outcome for report in raised.value.reports]
        assert [None] * 5 == outcomes[::2]
        assert None not in outcomes[1::2]
    assert time.monotonic() - began < bulk.PATIENCE / 2
    site.ask("PUT", f"/{{}}-facts-{DAY}/_settings", {"index.blocks.write": None})
    monkeypatch.setattr(store._writer, "_away", {})
    assert ["stored", "already"] * 5 == [report.outcome for report in store.write(facts)]


def test_a_day_that_expires_while_it_is_read_fails_no_reader(site: Site, store: ElasticsearchStore) -> None:
    """An index that is dropped between finding its facts and reading them is asked about again."""
    facts = [
        b.stored(b.span(number=n, start=b.NOW - n % 8 * b.DAY, attributes={"text": "x" * 9_000}))
        for n in range(1, 401)
    ]
    store.write(facts, visible=True)
    ids = [stored.receipt.id for stored in facts]
    done = threading.Event()

    def read() -> int:
        read = 0
        while not done.is_set():
            assert len(list(store.facts_of(asking(All())))) <= len(facts)
            assert len(store.get(ids)) == len(ids)
            read += 1
        return read

    with ThreadPoolExecutor(3) as readers:
        reading = [readers.submit(read) for _ in range(3)]
        try:
            for day in range(8, 0, -1):
                store.expire(b.NOW - day * b.DAY + b.HOUR * 12)
        finally:
            done.set()
    assert all(reader.result() for reader in reading)
