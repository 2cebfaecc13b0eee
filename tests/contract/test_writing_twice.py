"""Writing twice is writing once, in any batch, order or process."""

import random

from tests import builders as b
from tests.contract.conftest import Opened
from tests.contract.pair import Pair, asking
from timeline.search.query import All


def test_a_batch_written_again_is_already_stored_under_its_first_request(pair: Pair) -> None:
    facts = list(b.facts(30))
    assert {"stored"} == {report.outcome for report in pair.write(facts)}
    again = pair.write([b.stored(s.fact, tie=s.receipt.tie, request="request-99") for s in facts])
    assert {"already"} == {report.outcome for report in again}
    assert {"request-0"} == {report.request for report in again}
    assert 30 == pair.agree(asking(All()))


def test_the_same_fact_twice_in_one_batch_is_stored_once(pair: Pair) -> None:
    fact = b.stored(request="first")
    reports = pair.write([fact, b.stored(request="second"), fact])
    assert ["stored", "already", "already"] == [report.outcome for report in reports]
    assert ["", "first", "first"] == [report.request for report in reports]
    assert 1 == pair.agree(asking(All()))


def test_overlapping_batches_in_any_order_store_each_fact_once(pair: Pair) -> None:
    facts = list(b.facts(200))
    shuffled = random.Random(5)
    for _ in range(12):
        pair.write(shuffled.sample(facts, 60))
    pair.write(facts)
    assert 200 == pair.agree(asking(All()), page=37)


def test_a_store_opened_anew_still_knows_what_it_holds(opened: Opened) -> None:
    facts = list(b.facts(50))
    opened.store.write(facts, visible=True)
    store = opened.reopen()
    reports = store.write(facts, visible=True)
    assert {"already"} == {report.outcome for report in reports}
    assert 50 == store.count(asking(All())).value


def test_an_empty_batch_is_answered_with_no_outcomes(pair: Pair) -> None:
    assert [] == pair.write([])


def test_what_was_written_is_there_after_opening_anew(opened: Opened) -> None:
    facts = list(b.facts(50))
    opened.store.write(facts)
    store = opened.reopen()
    assert facts == store.get([stored.receipt.id for stored in facts])
