from __future__ import annotations

import pytest

from timeline.domain import Entity
from timeline.search.grammar import parse, readings
from timeline.search.meaning import MAX_READINGS
from timeline.search.query import (
    All,
    And,
    AttributeBetween,
    AttributeExists,
    AttributeIs,
    AttributeStarts,
    EntityIs,
    FieldBetween,
    FieldIs,
    FieldStarts,
    Node,
    Or,
    ValueIs,
    Words,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
RULES = {"bet.id": "bet", "betId": "bet", "order.id": "order"}


def asked(text: str) -> tuple[Node, ...]:
    """The alternatives of a question of one clause, as stores get them."""
    node = parse(text, rules=RULES).to_node()
    return node.items if isinstance(node, Or) else (node,)


def entity(kind: str, name: str) -> EntityIs:
    return EntityIs(Entity(type=kind, id=name))


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        (
            "service:wallet",
            (FieldIs("service", "wallet"), entity("service", "wallet"), AttributeIs("service", "wallet")),
        ),
        (
            "topic:bets",
            (FieldIs("destination", "bets"), entity("topic", "bets"), AttributeIs("topic", "bets")),
        ),
        (
            "bet:8812",
            (
                entity("bet", "8812"),
                AttributeIs("bet.id", "8812"),
                AttributeIs("betId", "8812"),
                AttributeIs("bet", "8812"),
            ),
        ),
        (
            "key:8812",
            (
                AttributeIs("messaging.kafka.message.key", "8812"),
                AttributeIs("throughline.message.key", "8812"),
                entity("key", "8812"),
                AttributeIs("key", "8812"),
            ),
        ),
        (
            "messaging.kafka.partition:3",
            (
                entity("messaging.kafka.partition", "3"),
                AttributeIs("messaging.kafka.partition", "3"),
                AttributeIs("messaging.destination.partition.id", "3"),
            ),
        ),
        (
            "kind:span",
            (FieldIs("fact", "span"), entity("kind", "span"), AttributeIs("kind", "span")),
        ),
        (
            "kind:consumer",
            (FieldIs("span_kind", "consumer"), entity("kind", "consumer"), AttributeIs("kind", "consumer")),
        ),
        (
            "kind:other",
            (
                FieldIs("fact", "other"),
                FieldIs("span_kind", "other"),
                entity("kind", "other"),
                AttributeIs("kind", "other"),
            ),
        ),
        (
            "status:ERROR",
            (FieldIs("status", "error"), entity("status", "ERROR"), AttributeIs("status", "ERROR")),
        ),
        (
            "id:x1",
            (FieldIs("id", "x1"), FieldIs("event_id", "x1"), entity("id", "x1"), AttributeIs("id", "x1")),
        ),
        ('key2:""', (AttributeIs("key2", ""),)),
        ('"a:b":c', (AttributeIs("a:b", "c"),)),
        ("service:wal*", (FieldStarts("service", "wal"), AttributeStarts("service", "wal"))),
        (
            "bet:88*",
            (AttributeStarts("bet.id", "88"), AttributeStarts("betId", "88"), AttributeStarts("bet", "88")),
        ),
        ("field.service:wallet", (FieldIs("service", "wallet"),)),
        ("attribute.service:wal*", (AttributeStarts("service", "wal"),)),
        (
            "entity:bet:8812",
            (entity("bet", "8812"), AttributeIs("bet.id", "8812"), AttributeIs("betId", "8812")),
        ),
        ("entity:match:1:2", (entity("match", "1:2"),)),
        ("entity:plain", (entity("entity", "plain"), AttributeIs("entity", "plain"))),
        ("context:match:1", (EntityIs(Entity(type="match", id="1"), context=True),)),
        ("words:Paid", (Words(("paid",)),)),
        ('words:"Paid out"', (Words(("paid", "out"), phrase=True),)),
        ("anywhere:x-1", (ValueIs("x-1"),)),
        ("duration>500ms", (FieldBetween("duration", 500_000_000, None, True, False),)),
        ("duration>=500ms", (FieldBetween("duration", 500_000_000),)),
        ("field.duration<2s", (FieldBetween("duration", None, 2_000_000_000, False, True),)),
        ("duration:1ms..2ms", (FieldBetween("duration", 1_000_000, 2_000_000),)),
        ("attribute.duration<=5", (AttributeBetween("duration", None, 5),)),
        ("total<9.5", (AttributeBetween("total", None, 9.5, False, True),)),
        (
            "offset:..5",
            (AttributeBetween("messaging.kafka.offset", None, 5), AttributeBetween("offset", None, 5)),
        ),
        ("total=3", (AttributeIs("total", "3"), AttributeBetween("total", 3, 3))),
        ("total=9007199254740993", (AttributeIs("total", "9007199254740993"),)),
        ("has:service", (FieldStarts("service", ""), AttributeExists("service"))),
        ("has:field.parent_id", (FieldStarts("parent_id", ""),)),
        ("has:attribute.service", (AttributeExists("service"),)),
        ("has:duration", (FieldBetween("duration", 0), AttributeExists("duration"))),
        ("has:bet", (AttributeExists("bet.id"), AttributeExists("betId"), AttributeExists("bet"))),
        ("has:offset", (AttributeExists("messaging.kafka.offset"), AttributeExists("offset"))),
        ("timeout", (FieldIs("event_id", "timeout"), Words(("timeout",)))),
        ('"Payment declined"', (Words(("payment", "declined"), phrase=True),)),
        ("don't", (FieldIs("event_id", "don't"), Words(("don't",)))),
        ("pay*", (FieldStarts("event_id", "pay"), Words(("pay",), prefix=True))),
        ('"payment de"*', (Words(("payment", "de"), phrase=True, prefix=True),)),
        (
            "order-42",
            (FieldIs("event_id", "order-42"), ValueIs("order-42"), Words(("order", "42"), phrase=True)),
        ),
        (
            TRACE.upper(),
            (
                FieldIs("trace_id", TRACE),
                FieldIs("event_id", TRACE.upper()),
                ValueIs(TRACE.upper()),
                Words((TRACE,)),
            ),
        ),
        (SPAN, (FieldIs("span_id", SPAN), FieldIs("event_id", SPAN), ValueIs(SPAN), Words((SPAN,)))),
        ("*", (All(),)),
    ],
)
def test_every_reading_of_a_clause_is_asked(text: str, nodes: tuple[Node, ...]) -> None:
    assert nodes == asked(text)


def test_a_bare_fact_id_is_looked_up_as_one() -> None:
    assert FieldIs("id", "AZm0Q4sAABCDEFGHIJKL") == asked("AZm0Q4sAABCDEFGHIJKL")[0]


@pytest.mark.parametrize(
    "text",
    [
        "service:wallet",
        "bet:8812",
        "key:x",
        "order-42",
        TRACE,
        "has:service",
        "wild*",
        "offset=5",
        "offset:1..2",
    ],
)
def test_each_reading_can_be_asked_alone_by_its_text(text: str) -> None:
    alternatives = parse(text, rules=RULES).readings()

    assert len(alternatives) > 1
    for reading in alternatives:
        assert reading.node == parse(reading.text, rules={}).to_node()


def test_the_readings_of_one_clause_are_asked_within_the_rest_of_the_question() -> None:
    parsed = parse("field.service:wallet bet:8812 NOT field.status:error", rules={"bet.id": "bet"})
    rest = parse("field.service:wallet"), parse("NOT field.status:error")

    labels = [reading.label for reading in parsed.readings()]
    nodes = [reading.node for reading in parsed.readings()]

    assert ["entity", "attribute bet.id", "attribute bet"] == labels
    assert And((rest[0].to_node(), entity("bet", "8812"), rest[1].to_node())) == nodes[0]
    assert "field.service:wallet entity:bet:8812 NOT field.status:error" == parsed.readings()[0].text


def test_a_question_of_clear_clauses_has_no_other_readings() -> None:
    assert [] == parse("field.service:wallet NOT bet:1 (bet:1 OR bet:2)").readings()
    assert [] == parse("").readings()
    assert [] == readings(None)


def test_the_readings_of_a_long_question_stay_few() -> None:
    assert MAX_READINGS == len(parse(" ".join(f"k{i}:v" for i in range(50))).readings())
