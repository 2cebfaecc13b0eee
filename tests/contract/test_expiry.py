"""Expiry removes every trace, counts it, and frees the disk."""

import random
import threading
import time

import pytest

from tests import builders as b
from tests.contract.conftest import Opened
from tests.contract.pair import Pair, asking
from timeline.domain import Stored
from timeline.search.query import All
from timeline.store.port import ItemReport, PartlyStored, Store


def test_facts_before_the_moment_go_and_the_others_stay(pair: Pair) -> None:
    facts = list(b.facts(100))
    pair.write(facts)
    middle = facts[40].fact.at
    assert 40 == pair.model.expire(middle) == pair.store.expire(middle)
    assert 60 == pair.agree(asking(All()), page=30)
    assert 0 == pair.model.expire(middle) == pair.store.expire(middle)
    assert [None] * 40 == pair.store.get([stored.receipt.id for stored in facts[:40]])
    assert [] == pair.store.group(facts[0].receipt.identity)


def test_odd_facts_go_by_when_they_were_received(pair: Pair) -> None:
    facts = [
        b.stored(b.span(number=n, start=at), received=b.NOW + n)
        for n, at in enumerate([None, 0, None, 1 << 62])
    ]
    pair.write(facts)
    assert 2 == pair.model.expire(b.NOW + 2) == pair.store.expire(b.NOW + 2)
    assert 2 == pair.agree(asking(All()))


def test_variants_go_with_their_time(pair: Pair) -> None:
    pair.write([b.stored(b.span(name=name)) for name in ("one", "two", "three")])
    assert 3 == pair.model.expire(b.NOW + 1) == pair.store.expire(b.NOW + 1)
    assert 0 == pair.agree(asking(All()))


def test_what_is_gone_does_not_come_back_by_itself_and_can_be_sent_again(opened: Opened) -> None:
    facts = list(b.facts(30))
    opened.store.write(facts)
    assert 30 == opened.store.expire(b.NOW + b.HOUR)
    store = opened.reopen()
    assert 0 == store.count(asking(All())).value
    reports = store.write(facts, visible=True)
    assert {"stored"} == {report.outcome for report in reports}
    assert 30 == store.count(asking(All())).value


def test_facts_that_come_while_others_expire_are_kept_and_none_comes_back(opened: Opened) -> None:
    """F33: old and new ones in the same batches, each batch sent twice, expired all the while."""
    store, batches, gone = opened.store, 12, []
    old = [b.stored(b.span(number=n, start=b.NOW - b.DAY), received=b.NOW) for n in range(1, 241)]
    new = [b.stored(b.span(number=n, start=b.NOW), received=b.NOW) for n in range(1001, 1241)]
    lots = [old[n::batches] + new[n::batches] for n in range(batches)]
    written = threading.Event()

    def expire() -> None:
        while not written.is_set():
            gone.append(store.expire(b.NOW - b.HOUR))

    expiring = threading.Thread(target=expire)
    expiring.start()
    try:
        outcomes = [report.outcome for lot in lots for _ in range(2) for report in _write(store, lot)]
    finally:
        written.set()
        expiring.join()
    gone.append(store.expire(b.NOW - b.HOUR))
    kept = [stored.receipt.id for stored in opened.reopen().facts_of(asking(All()))]
    assert sorted(stored.receipt.id for stored in new) == sorted(kept)
    assert outcomes.count("stored") == len(new) + sum(gone)
    assert outcomes.count("already") == 2 * len(old + new) - len(new) - sum(gone)


def _write(store: Store, facts: list[Stored]) -> list[ItemReport]:
    """As the drain: what waits for a day that is being made or dropped is written again."""
    reports: list[ItemReport] = []
    while True:
        try:
            return reports + store.write(facts)
        except PartlyStored as partly:
            reports += [report for report in partly.reports if report is not None]
            facts = [stored for stored, report in zip(facts, partly.reports, strict=True) if report is None]
            time.sleep(0.2)


def test_an_expiry_that_takes_nothing_says_so(store: Store) -> None:
    store.write(list(b.facts(5)))
    assert 0 == store.expire(0)
    assert 5 == store.size()["facts"]


@pytest.mark.slow
def test_the_disk_is_freed_even_where_old_and_new_facts_arrived_together(store: Store) -> None:
    facts = list(b.facts(24_000))
    late = facts[16_000:]
    moment = late[0].fact.at
    assert moment is not None
    random.Random(7).shuffle(facts)
    for start in range(0, len(facts), 3_000):
        _write(store, facts[start : start + 3_000])
    before = store.size()
    assert 24_000 == before["facts"]
    assert 16_000 == store.expire(moment)
    after = store.size()
    assert 8_000 == after["facts"]
    assert after["bytes"] < before["bytes"] * 0.6
    assert 8_000 == store.count(asking(All())).value
    assert late[:50] == store.get([stored.receipt.id for stored in late[:50]])
