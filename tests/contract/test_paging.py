"""Pages are totally ordered and skip or repeat nothing, whatever the ties."""

import pytest

from tests import builders as b
from tests.contract.pair import ORDERS, Pair, asking, walk
from timeline.errors import BadQuery
from timeline.search.query import All, FieldIs, Query, Window
from timeline.store.port import Order, Store


def number(count: int, **receipt: object) -> list:
    """Spans that differ in nothing but their number."""
    return [b.stored(b.span(number=n), **receipt) for n in range(count)]


@pytest.mark.parametrize("page", [1, 2, 7, 25, 26, 50])
def test_pages_of_any_size_give_the_same_list(pair: Pair, page: int) -> None:
    pair.write(list(b.facts(26)))
    pair.agree(asking(All()), page=page)


@pytest.mark.parametrize("order", ORDERS)
def test_a_tie_group_bigger_than_a_page_is_walked_by_id(pair: Pair, order: Order) -> None:
    pair.write(number(57))
    query = asking(All())
    assert pair.model.rows(query, order) == walk(pair.store, query, limit=5, order=order)


def test_ties_of_every_kind_keep_one_order(pair: Pair) -> None:
    facts = [
        b.stored(b.span(number=n, start=b.NOW + n % 3), tie=n % 4, received=b.NOW + n % 2) for n in range(90)
    ]
    pair.write(facts)
    for page in (1, 4, 11):
        pair.agree(asking(All()), page=page)


def test_facts_received_together_are_in_order_of_id_whatever_their_own_time(pair: Pair) -> None:
    facts = [b.stored(b.span(number=n, start=b.NOW + n * b.HOUR), tie=n % 2) for n in range(60)]
    pair.write([*facts, *(b.stored(b.span(number=n, start=None)) for n in range(100, 110))])
    for page in (1, 9, 31, 70):
        pair.agree(asking(All()), page=page)


def test_odd_facts_among_others_of_one_moment_keep_one_order(pair: Pair) -> None:
    when = b.NOW + b.SECOND
    facts = [b.stored(b.span(number=n, start=when if n % 2 else None), received=when) for n in range(40)]
    pair.write(facts)
    pair.agree(asking(All()), page=3)


def test_large_ties_and_negative_ones_sort_as_numbers(pair: Pair) -> None:
    ties = [-(1 << 63), -5, 0, 3, 1 << 53, (1 << 53) + 1, (1 << 63) - 1]
    pair.write([b.stored(b.span(number=n), tie=tie) for n, tie in enumerate(ties)])
    pair.agree(asking(All()), page=2)


def test_the_last_page_ends_the_list_even_when_it_is_full(pair: Pair) -> None:
    pair.write(number(10))
    page = pair.store.search(asking(All()), limit=10)
    assert 10 == len(page.rows)
    assert page.next is None


def test_nothing_found_is_an_empty_page_without_a_next(store: Store) -> None:
    page = store.search(asking(FieldIs("service", "nobody")))
    assert ((), None, ()) == (page.rows, page.next, page.partial)


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "é", "!" * 40, "A" * 400, "\0"])
def test_a_cursor_that_is_not_ours_is_refused(store: Store, cursor: str) -> None:
    store.write(number(3), visible=True)
    with pytest.raises(BadQuery):
        store.search(asking(All()), cursor=cursor)


def test_a_cursor_holds_while_the_range_moves_on(store: Store) -> None:
    facts = [b.stored(b.span(1, place, start=b.NOW + place)) for place in range(1, 8)]
    store.write(facts, visible=True)
    first = Query(where=All(), window=Window(start=b.NOW - 10, end=b.NOW + 100))
    moved = Query(where=All(), window=Window(start=b.NOW - 9, end=b.NOW + 101))
    page = store.search(first, limit=3)
    rest = store.search(moved, limit=10, cursor=page.next)
    assert [fact.receipt.id for fact in reversed(facts)] == [row.id for row in (*page.rows, *rest.rows)]


def test_a_cursor_of_another_question_or_order_is_refused(store: Store) -> None:
    store.write(number(9), visible=True)
    cursor = store.search(asking(All()), limit=3).next
    assert cursor
    with pytest.raises(BadQuery):
        store.search(asking(FieldIs("service", "orders")), cursor=cursor)
    with pytest.raises(BadQuery):
        store.search(asking(All()), order="oldest", cursor=cursor)


def test_a_tampered_cursor_is_refused(store: Store) -> None:
    store.write(number(9), visible=True)
    cursor = store.search(asking(All()), limit=3).next
    assert cursor
    swapped = "B" if cursor[-4] != "B" else "C"
    with pytest.raises(BadQuery):
        store.search(asking(All()), cursor=cursor[:-4] + swapped + cursor[-3:])


@pytest.mark.parametrize("limit", [0, -1])
def test_a_page_without_rows_is_no_question(store: Store, limit: int) -> None:
    with pytest.raises(BadQuery):
        store.search(asking(All()), limit=limit)


def test_following_a_list_while_newer_facts_arrive_skips_nothing_older(pair: Pair) -> None:
    pair.write([b.stored(b.span(number=n, start=b.NOW + n)) for n in range(20)])
    query = asking(All())
    expected = pair.model.rows(query)
    first = pair.store.search(query, limit=8)
    pair.write([b.stored(b.span(number=n, start=b.NOW + b.HOUR + n)) for n in range(100, 110)])
    rest = []
    cursor = first.next
    while cursor:
        page = pair.store.search(query, limit=8, cursor=cursor)
        rest += page.rows
        cursor = page.next
    assert expected == [*first.rows, *rest]
