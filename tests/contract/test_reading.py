"""Whole facts come back as they were sent: by id, by identity, and as a stream."""

import tracemalloc

import pytest

from tests import builders as b
from tests.contract.pair import Pair, asking
from timeline.search.query import All, FieldIs
from timeline.store.port import Store


def test_facts_are_read_in_the_order_asked_with_none_for_the_unknown(pair: Pair) -> None:
    facts = list(b.facts(20))
    pair.write(facts)
    ids = [facts[3].receipt.id, "nobody", facts[1].receipt.id, facts[3].receipt.id, ""]
    expected = [facts[3], None, facts[1], facts[3], None]
    assert expected == pair.model.get(ids)
    assert expected == pair.store.get(ids)


def test_reading_no_ids_gives_no_facts(store: Store) -> None:
    assert [] == store.get([])


def test_an_unknown_identity_has_no_facts(store: Store) -> None:
    assert [] == store.group("nobody")


def test_a_group_joins_contents_whose_times_differ(pair: Pair) -> None:
    early, late = b.span(start=b.NOW), b.span(start=b.NOW + b.DAY)
    pair.write([b.stored(early), b.stored(late)])
    identity = b.identity_of(early)
    assert 2 == len(pair.model.group(identity))
    assert pair.model.group(identity) == pair.store.group(identity)


@pytest.mark.slow
def test_a_trace_of_fifty_thousand_spans_streams_whole_in_bounded_memory(store: Store) -> None:
    total = 50_000
    for start in range(0, total, 5_000):
        batch = [b.stored(b.span(number=n, start=b.NOW + n // 3)) for n in range(start, start + 5_000)]
        store.write(batch, visible=True)
    query = asking(FieldIs("trace_id", b.trace_id(1)))
    seen, times, peak = 0, [], 0
    tracemalloc.start()
    for stored in store.facts_of(query):
        seen += 1
        times.append(stored.fact.at)
        if seen % 5_000 == 0:
            peak = max(peak, tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert total == seen
    assert sorted(times) == times
    assert peak < 24_000_000


def test_a_stream_shows_one_still_set_while_others_write(pair: Pair) -> None:
    pair.write([b.stored(b.span(number=n, start=b.NOW + n)) for n in range(30)])
    stream = pair.store.facts_of(asking(All()))
    first = next(stream)
    pair.store.write([b.stored(b.span(number=n, start=b.NOW + n)) for n in range(100, 130)], visible=True)
    assert list(pair.model.facts_of(asking(All()))) == [first, *stream]
