"""Counts, facets and histograms are exact, and say where they are not."""

import random

import pytest

from tests import builders as b
from tests.contract.pair import Pair, asking
from timeline.errors import BadQuery
from timeline.search.query import FACETS, All, And, AttributeIs, FieldIs, Not, Window
from timeline.store.port import Store

DAY = Window(start=b.NOW - b.HOUR, end=b.NOW + b.DAY)


@pytest.mark.parametrize("days", [0, 400])
def test_where_nothing_is_stored_nothing_is_counted(pair: Pair, days: int) -> None:
    empty = Window(start=DAY.start, end=b.NOW + (1 + days) * b.DAY)
    for query in (asking(All(), window=empty), asking(FieldIs("service", "orders"), window=empty)):
        assert pair.model.count(query) == pair.store.count(query)
        assert pair.model.facets(query, FACETS) == pair.store.facets(query, FACETS)
        for interval in (b.DAY, b.HOUR * 24 + 1):
            expected = pair.model.histogram(query, interval=interval)
            assert expected == pair.store.histogram(query, interval=interval)
        assert [] == list(pair.store.facts_of(query))


@pytest.mark.parametrize("limit", [None, 0, 1, 19, 20, 21])
def test_a_count_stops_at_its_limit_and_says_so(pair: Pair, limit: int | None) -> None:
    pair.write([b.stored(b.span(number=n)) for n in range(20)])
    expected = pair.model.count(asking(All()), limit=limit)
    assert expected == pair.store.count(asking(All()), limit=limit)
    assert (limit is not None and limit < 20) == expected.at_least


def test_facets_count_every_match_and_order_ties_by_value(pair: Pair) -> None:
    pair.write(list(b.facts(300)))
    for where in (All(), FieldIs("service", "orders"), Not(FieldIs("fact", "span"))):
        for limit in (1, 3, 50):
            query = asking(where, window=DAY)
            expected = pair.model.facets(query, FACETS, limit=limit)
            assert expected == pair.store.facets(query, FACETS, limit=limit)


def test_a_facet_stays_exact_with_many_more_values_than_asked(pair: Pair) -> None:
    pair.write([b.stored(b.span(number=n, name=f"name-{n % 700}")) for n in range(1500)])
    pair.write([b.stored(b.span(number=n + 5000, name="zz-most")) for n in range(4)])
    expected = pair.model.facets(asking(All()), ["name"], limit=5)
    assert expected == pair.store.facets(asking(All()), ["name"], limit=5)
    assert "zz-most" == expected[0].values[0].value


def test_a_facet_whose_values_tie_by_the_thousand_shows_the_first_by_value(pair: Pair) -> None:
    facts = [b.stored(b.span(number=n, name=f"name-{n % 1300:04d}")) for n in range(2600)]
    random.Random(9).shuffle(facts)
    for start in range(0, 2600, 650):
        pair.write(facts[start : start + 650])
    for limit in (1, 5, 80):
        expected = pair.model.facets(asking(All()), ["name"], limit=limit)
        assert expected == pair.store.facets(asking(All()), ["name"], limit=limit)


def test_a_facet_on_an_attribute_counts_the_newest_two_thousand(pair: Pair) -> None:
    facts = [
        b.stored(b.span(number=n, start=b.NOW + n, attributes={"tier": f"t{n // 1000}", "n": n % 3}))
        for n in range(2600)
    ]
    pair.write(facts)
    fields = ["tier", "n", "service", "absent", "service.name"]
    expected = pair.model.facets(asking(All()), fields)
    assert expected == pair.store.facets(asking(All()), fields)
    assert [True, True, False, True, True] == [facet.sampled for facet in expected]
    assert [1000, 600, 400] == [value.count for value in expected[0].values]


def test_a_facet_value_can_be_asked_for_even_when_it_is_long(pair: Pair) -> None:
    long = b.stored(b.span(name="n" * 5000))
    pair.write([long, b.stored(b.span(number=2, name="n" * 4999))])
    (facet,) = pair.store.facets(asking(All()), ["name"])
    assert [1, 1] == [value.count for value in facet.values]
    assert 1 == pair.store.count(asking(FieldIs("name", facet.values[0].value))).value


def test_a_facet_counts_a_fact_once_for_each_value_it_has(pair: Pair) -> None:
    pair.write([b.stored(b.span(attributes={"tag": ["a", "b", "a"]}, resource={"tag": "a"}))])
    expected = pair.model.facets(asking(All()), ["tag"])
    assert expected == pair.store.facets(asking(All()), ["tag"])
    assert [("a", 1), ("b", 1)] == [(value.value, value.count) for value in expected[0].values]


@pytest.mark.parametrize("interval", [1, 7, 999, 1_000_000, 3_000_000, b.SECOND, 7 * b.SECOND + 3, b.HOUR])
@pytest.mark.parametrize("shift", [0, 1, -999_999])
def test_a_histogram_puts_each_fact_into_its_bucket_to_the_nanosecond(
    pair: Pair, interval: int, shift: int
) -> None:
    width = min(interval * 40, b.DAY)
    start = b.NOW + shift
    edges = [start + number * interval + delta for number in range(20) for delta in (-1, 0, 1)]
    facts = [
        b.stored(b.span(number=n, start=at, status="error" if n % 3 == 0 else "ok"))
        for n, at in enumerate(edges)
    ]
    pair.write(facts)
    for where in (All(), FieldIs("status", "error"), And(())):
        query = asking(where, window=Window(start=start, end=start + width))
        assert pair.model.histogram(query, interval=interval) == pair.store.histogram(
            query, interval=interval
        )


def test_a_histogram_of_received_time_still_shows_placed_time(pair: Pair) -> None:
    facts = [b.stored(b.span(number=n, start=b.NOW + n * b.SECOND), received=b.NOW + 5) for n in range(9)]
    pair.write(facts)
    for on in ("received", "either"):
        query = asking(All(), window=Window(start=b.NOW, end=b.NOW + 4 * b.SECOND, on=on))
        expected = pair.model.histogram(query, interval=b.SECOND)
        assert expected == pair.store.histogram(query, interval=b.SECOND)


@pytest.mark.parametrize(
    ("window", "interval"),
    [(Window(), 10), (Window(start=0), 10), (Window(end=9), 10), (Window(start=0, end=9), 0)],
)
def test_a_histogram_needs_both_ends_and_an_interval(store: Store, window: Window, interval: int) -> None:
    with pytest.raises(BadQuery):
        store.histogram(asking(All(), window=window), interval=interval)


def test_a_histogram_without_bound_is_refused(store: Store) -> None:
    with pytest.raises(BadQuery):
        store.histogram(asking(All(), window=Window(start=0, end=b.NOW)), interval=1)


def test_counts_of_a_whole_corpus_agree(pair: Pair) -> None:
    pair.write(list(b.facts(250)))
    for where in (All(), FieldIs("type", "OrderPlaced"), AttributeIs("customer.tier", "gold")):
        pair.agree(asking(where, window=DAY), page=60)
