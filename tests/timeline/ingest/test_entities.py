"""Which entities a fact is about, and which only came along."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import entities, ref
from timeline.domain import Entity, EventInfo, Link, Message
from timeline.ingest.entities import MAX_ENTITIES, Rules, entities_of, subject_name, subject_type

RULES = Rules.default()


def named(attributes: dict[str, Any], rules: Rules = RULES, **given: Any) -> tuple[list[str], list[str]]:
    """Subjects and context as text."""
    subjects, context = entities_of(rules, rules.plan(attributes), attributes, **given)
    return [str(one) for one in subjects], [str(one) for one in context]


def test_attributes_of_our_own_name_subjects_and_context() -> None:
    attributes = {
        "throughline.entity.order": "42",
        "throughline.entity.bet": ["1", 2, "", None, 1.5, True],
        "throughline.context.match": "7",
        "throughline.context.order": "42",
        "throughline.entity.": "x",
        "throughline.entity.a:b": "x",
        "throughline.message.key": "x",
    }
    assert named(attributes) == (["order:42", "bet:1", "bet:2"], ["match:7"])


def test_all_ways_are_kept_in_order_and_each_entity_once() -> None:
    rules = RULES.extended(message_keys={"bets": "bet"})
    found = named(
        {"order.id": 5, "throughline.entity.order": "1", "bet.id": "9"},
        rules,
        event=EventInfo(subject="orders/2"),
        message=Message(destination="bets", key="9"),
        body={"payment": {"id": "p-1"}, "orderId": "1"},
    )
    assert found == (["order:1", "order:2", "order:5", "bet:9", "payment:p-1"], [])


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (EventInfo(subject="orders/123"), "order:123"),
        (EventInfo(subject="/orders/123/lines/4"), "order:123/lines/4"),
        (EventInfo(subject="crates/9"), "crates:9"),
        (EventInfo(subject="123", source="/shop/orders"), "order:123"),
        (EventInfo(subject="123", source="urn:example:matches"), "match:123"),
        (EventInfo(subject="123", source="https://shop.example/crates/"), "crates:123"),
        (EventInfo(subject="orders/", source="feed"), "feed:orders/"),
        (EventInfo(subject="123"), "subject:123"),
        (EventInfo(subject="123", source="///"), "subject:123"),
        (EventInfo(subject="a:b", source="feed"), "feed:a:b"),
    ],
)
def test_a_subject_is_typed_by_its_path_or_its_source(event: EventInfo, expected: str) -> None:
    assert ([expected], []) == named({}, event=event)
    assert expected == f"{subject_type(RULES, event)}:{subject_name(event.subject or '')}"


def test_rules_on_type_and_source_win_over_the_path() -> None:
    rules = RULES.extended(subjects={"OrderPlaced": "purchase", "/shop": "sale"})
    assert named({}, rules, event=EventInfo(subject="orders/1", type="OrderPlaced")) == (["purchase:1"], [])
    assert named({}, rules, event=EventInfo(subject="orders/1", source="/shop")) == (["sale:1"], [])
    assert named({}, rules, event=EventInfo(type="OrderPlaced")) == ([], [])


def test_each_message_of_a_batch_names_its_own_entities_on_its_link() -> None:
    rules = RULES.extended(message_keys={"bets": "bet"})
    links = (
        Link(
            ref=ref(1, 1), attributes={"throughline.entity.order": "1", "messaging.kafka.message.key": "b1"}
        ),
        Link(ref=ref(1, 2), attributes={"order.id": "2", "throughline.context.match": "7"}),
        Link(ref=ref(1, 3)),
    )
    found = named({}, rules, links=links, message=Message(destination="bets"))
    assert found == (["order:1", "bet:b1", "order:2"], ["match:7"])
    assert named({}, rules, links=links) == (["order:1", "order:2"], ["match:7"])


def test_a_key_of_another_destination_or_of_none_names_nothing() -> None:
    rules = RULES.extended(message_keys={"bets": "bet"})
    assert named({}, rules, message=Message(destination="orders", key="1")) == ([], [])
    assert named({}, rules, message=Message(key="1")) == ([], [])
    assert named({}, rules, message=Message(destination="bets")) == ([], [])


def test_technical_ids_are_no_entities() -> None:
    keys = ("thread.id", "session.id", "host.id", "messaging.message.id", "service.instance.id", "user.id")
    assert named(dict.fromkeys(keys, "1")) == ([], [])


def test_a_path_through_a_body_that_ends_early_names_nothing() -> None:
    assert named({}, body={"order": "1"}) == ([], [])
    assert named({}, body=["order.id"]) == ([], [])
    assert named({}, body={"order.id": 1}) == (["order:1"], [])


def test_an_empty_type_takes_a_rule_away() -> None:
    rules = RULES.extended(attributes={"order.id": "", "slip": "bet"})
    assert named({"order.id": "1", "slip": "2"}, rules) == (["bet:2"], [])
    assert RULES.attributes["order.id"] == "order"


def test_entities_of_a_fact_are_bounded() -> None:
    many = [str(number) for number in range(1_000)]
    subjects, _ = entities_of(RULES, RULES.plan({"order.id": many}), {"order.id": many})
    assert len(subjects) == MAX_ENTITIES
    assert named({"order.id": "x" * 1_025}) == ([], [])
    assert named({"throughline.entity." + "x" * 1_025: "1"}) == ([], [])
    assert entities("order:" + "x" * 1_024) == (Entity(type="order", id="x" * 1_024),)


def test_shapes_are_remembered_but_never_without_bound() -> None:
    rules = Rules.default()
    for number in range(2_000):
        rules.plan({f"key-{number}": 1})
    assert len(rules._plans) <= 512
    rules.plan({f"key-{number}": 1 for number in range(100)})
    assert all(len(shape) <= 64 for shape in rules._plans)
    assert rules.plan({"order.id": 1}) is rules.plan({"order.id": 2})
