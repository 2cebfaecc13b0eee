"""Every kind of leaf and every way to join them means the same to every store."""

import itertools
import math
import random

import pytest

from tests import builders as b
from tests.contract.pair import Pair, asking
from timeline.domain import EventInfo, Link, Message
from timeline.errors import BadQuery
from timeline.search import query as q
from timeline.store.port import Store


def test_every_keyword_field_is_found_by_equality_and_by_prefix(pair: Pair) -> None:
    info = EventInfo(source="/s", id="ev-1", type="Paid", correlation_id="co-1", causation_id="ca-1")
    full = b.stored(
        b.span(
            name="do work",
            kind="consumer",
            parent=b.span_id(9),
            status="error",
            environment="prod",
            event=info,
            message=Message(destination="orders.placed"),
            links=(Link(ref=b.ref(5, 6)), Link(ref=b.ref(7, 8))),
        )
    )
    pair.write([full, b.stored(b.span(number=2, service="other")), b.stored(b.event(3, service=""))])
    fact = full.fact
    values = {
        "id": full.receipt.id,
        "identity": full.receipt.identity,
        "event_id": "ev-1",
        "type": "Paid",
        "service": "orders",
        "name": "do work",
        "fact": "span",
        "span_kind": "consumer",
        "status": "error",
        "destination": "orders.placed",
        "environment": "prod",
        "trace_id": fact.ref.trace_id,
        "span_id": fact.ref.span_id,
        "parent_id": b.span_id(9),
        "correlation_id": "co-1",
        "causation_id": "ca-1",
        "link": f"{b.trace_id(7)}/{b.span_id(8)}",
    }
    assert sorted(values) == sorted(name for name, kind in q.FIELDS.items() if kind == "keyword")
    for field, value in values.items():
        assert full.receipt.id in pair.found(q.FieldIs(field, value))
        assert full.receipt.id in pair.found(q.FieldStarts(field, value[:2]))
        pair.found(q.FieldStarts(field, value))
        pair.found(q.FieldStarts(field, ""))
        pair.finds(q.FieldIs(field, value + "x"))
        pair.finds(q.FieldIs(field, ""))
        pair.finds(q.FieldStarts(field, value + "x"))
    pair.finds(q.FieldIs("link", b.trace_id(5)), full)


@pytest.mark.parametrize(
    "value", ["a\nb", "white space", "x" * 300, "[a-z]+.*", "\0", "🚀", 'quote"s', "a\\b"]
)
def test_field_values_of_any_text_are_found_whole_and_by_prefix(pair: Pair, value: str) -> None:
    own = b.stored(b.span(service=value, event=EventInfo(id=value), name=value))
    pair.write([own, b.stored(b.span(number=2, service="azz", name="xx", event=EventInfo(id="b")))])
    for field in ("service", "event_id", "name"):
        pair.finds(q.FieldIs(field, value), own)
        pair.finds(q.FieldStarts(field, value[:256]), own)
        pair.found(q.FieldStarts(field, value[:1]))


@pytest.mark.parametrize("leaf", [q.FieldStarts("service", "x" * 257), q.AttributeStarts("key", "x" * 257)])
def test_a_prefix_that_is_too_long_is_an_error_and_no_empty_page(store: Store, leaf: q.Node) -> None:
    with pytest.raises(BadQuery):
        store.search(asking(leaf))


@pytest.mark.parametrize(
    "leaf", [q.FieldIs("nothing", "x"), q.FieldStarts("duration", "1"), q.FieldBetween("name", 1)]
)
def test_a_field_that_is_not_there_is_an_error_and_no_empty_page(store: Store, leaf: q.Node) -> None:
    with pytest.raises(BadQuery):
        store.count(asking(leaf))


def test_a_tree_nested_beyond_reason_is_an_error(store: Store) -> None:
    node: q.Node = q.All()
    for _ in range(5_000):
        node = q.Not(node)
    with pytest.raises(BadQuery):
        store.search(asking(node))


NUMBERS = [
    0, 1, -1, 0.5, -0.5, 2, 3, 7, 10, 255, 256, 1000, 999.999, 1e9, -1e9, 1e-9, 5e-324, 1.7e308, -1.7e308,
    (1 << 53) - 1, 1 << 53, (1 << 53) + 1, (1 << 63) - 1, -(1 << 63), math.inf, -math.inf, math.nan,
]  # fmt: skip


def test_number_ranges_on_any_key_hold_exactly_the_numbers_inside(pair: Pair) -> None:
    facts = [b.stored(b.span(number=n, attributes={"n.size": value})) for n, value in enumerate(NUMBERS)]
    facts += [
        b.stored(b.span(number=n + 900, attributes={"n.size": v}))
        for n, v in enumerate(("5", True, None, [4, 6]))
    ]
    pair.write(facts)
    bounds = [None, -1e9, -1, 0, 0.5, 1, 2, 3, 6.5, 255, 1000, 2.0**53, math.inf, -math.inf]
    pairs = list(itertools.product(bounds, bounds))
    random.Random(3).shuffle(pairs)
    for (low, high), low_open, high_open in zip(
        pairs[:90], itertools.cycle((False, True)), itertools.cycle((False, False, True)), strict=False
    ):
        pair.found(q.AttributeBetween("n.size", low, high, low_open, high_open))
    pair.finds(q.AttributeBetween("n", 0, 10))
    pair.finds(q.AttributeBetween("n.size", float("nan"), 3))


def test_dense_numbers_are_cut_at_every_edge(pair: Pair) -> None:
    pair.write([b.stored(b.span(number=n, attributes={"n": n / 8})) for n in range(-200, 400)])
    random_ = random.Random(4)
    for _ in range(40):
        low, high = sorted((random_.randrange(-220, 420) / 8, random_.randrange(-220, 420) / 8))
        pair.found(q.AttributeBetween("n", low, high, random_.random() < 0.5, random_.random() < 0.5))


def test_durations_are_compared_as_whole_nanoseconds(pair: Pair) -> None:
    lengths = [0, 1, 2, 5_000_000, 5_000_001, -7, 1 << 62, None]
    facts = [
        b.stored(b.span(number=n, end=None if length is None else b.NOW + length))
        for n, length in enumerate(lengths)
    ]
    pair.write([*facts, b.stored(b.event(1))])
    for low, high in itertools.product(
        [None, -7.5, -7, 0, 0.5, 1, 5e6, float("inf"), float("-inf")], repeat=2
    ):
        for low_open, high_open in itertools.product((False, True), repeat=2):
            pair.found(q.FieldBetween("duration", low, high, low_open, high_open))


def test_trees_of_every_shape_agree(pair: Pair) -> None:
    pair.write(list(b.facts(150)))
    leaves: list[q.Node] = [
        q.All(),
        q.FieldIs("service", "orders"),
        q.FieldIs("status", "error"),
        q.FieldStarts("name", "send"),
        q.FieldBetween("duration", 1e8, None),
        q.AttributeIs("customer.tier", "gold"),
        q.AttributeStarts("order.id", "ord-1"),
        q.AttributeBetween("order.total", 100, 300),
        q.AttributeExists("messaging.consumer.group.name"),
        q.EntityIs(b.entities("order:17")[0]),
        q.Words(("settled",)),
        q.Words(("settled", "in", "time"), phrase=True),
    ]
    random_ = random.Random(11)

    def tree(depth: int) -> q.Node:
        dice = random_.random()
        if depth == 0 or dice < 0.25:
            return random_.choice(leaves)
        if dice < 0.45:
            return q.Not(tree(depth - 1))
        items = tuple(tree(depth - 1) for _ in range(random_.randrange(4)))
        return q.And(items) if dice < 0.75 else q.Or(items)

    for _ in range(60):
        pair.found(tree(3))


def test_an_empty_and_matches_all_and_an_empty_or_matches_none(pair: Pair) -> None:
    pair.write(list(b.facts(5)))
    assert 5 == len(pair.found(q.And(())))
    assert 0 == len(pair.found(q.Or(())))
    assert 0 == len(pair.found(q.Not(q.All())))
    assert 5 == len(pair.found(q.Not(q.Or(()))))


def test_values_that_are_not_shaped_like_ids_are_not_found_without_a_key(pair: Pair) -> None:
    own = b.stored(b.span(attributes={"a": "ord-123", "b": "gold", "c": "0123456789abcdef-and-more"}))
    pair.write([own])
    pair.finds(q.ValueIs("ord-123"), own)
    pair.finds(q.ValueIs("0123456789abcdef-and-more"), own)
    pair.finds(q.ValueIs("gold"))


def test_ids_of_messages_and_events_are_found_without_their_keys(pair: Pair) -> None:
    named = {"messaging.message.id": "m-123456", "cloudevents.event_id": "0190-77aa-e1"}
    facts = [
        *(
            b.stored(b.span(number=n, attributes={key: value}))
            for n, (key, value) in enumerate(named.items())
        ),
        b.stored(b.span(number=7, attributes={"other.key": "m-123456"})),
        b.stored(b.span(number=8, attributes={"messaging.message.id": 1234567})),
    ]
    pair.write(facts)
    pair.finds(q.ValueIs("m-123456"), facts[0], facts[2])
    pair.finds(q.ValueIs("0190-77aa-e1"), facts[1])
    pair.finds(q.ValueIs("1234567"), facts[3])
