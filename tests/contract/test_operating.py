"""A store says how much it holds, whether it works, and closes in order."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import builders as b
from tests.contract.conftest import Opened
from tests.contract.pair import asking
from timeline.errors import Unavailable
from timeline.search.query import All
from timeline.store.port import Store


def test_size_tells_facts_and_bytes(store: Store) -> None:
    assert 0 == store.size()["facts"]
    store.write(list(b.facts(40)), visible=True)
    size = store.size()
    assert 40 == size["facts"]
    assert size["bytes"] > 0


def test_a_working_store_passes_its_check(store: Store) -> None:
    store.check()


def test_preparing_again_is_harmless(store: Store) -> None:
    store.write(list(b.facts(5)), visible=True)
    store.prepare()
    assert 5 == store.count(asking(All())).value


def test_several_threads_write_at_once_and_each_fact_is_there_once(store: Store) -> None:
    facts = list(b.facts(600))

    def work(start: int) -> list[str]:
        places = [(start + offset) % 600 for offset in range(0, 600, 50)]
        return [report.outcome for place in places for report in store.write(facts[place : place + 50])]

    with ThreadPoolExecutor(4) as threads:
        outcomes = [outcome for done in threads.map(work, range(0, 600, 150)) for outcome in done]
    assert 600 == outcomes.count("stored")
    assert 1800 == outcomes.count("already")
    assert 600 == store.count(asking(All())).value


def test_readers_in_other_threads_see_counts_that_only_grow(store: Store) -> None:
    facts = list(b.facts(400))
    counts: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            counts.append(store.count(asking(All())).value)

    thread = threading.Thread(target=read)
    thread.start()
    for start in range(0, 400, 40):
        store.write(facts[start : start + 40], visible=True)
    done.set()
    thread.join()
    assert sorted(counts) == counts
    assert 400 == store.count(asking(All())).value


def test_closing_finishes_what_is_being_written(opened: Opened) -> None:
    facts = list(b.facts(2_000))
    started = threading.Event()

    def write() -> int:
        started.set()
        try:
            return len(opened.store.write(facts))
        except Unavailable:  # it came too late
            return 0

    with ThreadPoolExecutor(1) as threads:
        confirmed = threads.submit(write)
        started.wait()
        store = opened.reopen()
        assert confirmed.result() == store.count(asking(All())).value


def test_a_write_confirmed_longer_ago_than_the_lag_is_seen(store: Store) -> None:
    store.write(list(b.facts(10)), visible=True)
    assert store.visibility_lag >= 0
    assert 10 == store.count(asking(All())).value


@pytest.mark.parametrize("count", [1, 5_001])
def test_batches_of_any_size_are_taken(store: Store, count: int) -> None:
    reports = store.write(list(b.facts(count)), visible=True)
    assert count == len(reports)
    assert count == store.count(asking(All())).value
