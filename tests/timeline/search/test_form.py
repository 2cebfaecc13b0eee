from __future__ import annotations

import msgspec
import pytest

from timeline import answers
from timeline.search.form import chips
from timeline.search.grammar import parse


def test_there_is_one_chip_per_condition_in_the_order_written() -> None:
    found = chips(parse("type:GoalScored match:4711 score:3-0", rules={"match.id": "match"}))

    assert [("type", "GoalScored"), ("entity", "match:4711"), ("score", "3-0")] == [
        (chip.label, chip.value) for chip in found
    ]
    assert ["match:4711 score:3-0", "type:GoalScored score:3-0", "type:GoalScored match:4711"] == [
        chip.without for chip in found
    ]


@pytest.mark.parametrize(
    ("text", "label", "value", "negated"),
    [
        ("topic:bets", "destination", "bets", False),
        ("field.service:wallet", "service", "wallet", False),
        ("attribute.order.id:42", "order.id", "42", False),
        ("kind:span", "kind", "span", False),
        ("entity:bet:8812", "entity", "bet:8812", False),
        ("bet:88*", "entity", "bet:88*", False),
        ("order.id:4*", "order.id", "4*", False),
        ("-service:wallet", "service", "wallet", True),
        ("NOT NOT service:wallet", "service", "wallet", False),
        ('"free text"', "text", "free text", False),
        ("wild*", "text", "wild*", False),
        ("duration>500ms", "duration", ">500ms", False),
        ("retries=3", "retries", "3", False),
        ("offset:1..2", "offset", "1..2", False),
        ("has:order.id", "has", "order.id", False),
        ("*", "everything", "*", False),
        ("a OR b", "any of", "a OR b", False),
        ("NOT (a b)", "all of", "a b", True),
    ],
)
def test_a_chip_is_labelled_as_people_say_it(text: str, label: str, value: str, negated: bool) -> None:
    (chip,) = chips(parse(text, rules={"bet.id": "bet"}))

    assert (label, value, negated, "") == (chip.label, chip.value, chip.negated, chip.without)


def test_an_empty_question_has_no_chips() -> None:
    assert () == chips(parse(""))


def test_a_chip_converts_into_that_of_an_answer() -> None:
    (chip,) = chips(parse("-a"))

    assert answers.Chip(label="text", value="a", negated=True) == answers.Chip(**msgspec.structs.asdict(chip))
