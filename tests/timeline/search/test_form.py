from __future__ import annotations

import msgspec
import pytest

from timeline import answers
from timeline.search.form import chips, picked, picks
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
        ("service:a OR topic:b", "any of", "service:a OR topic:b", False),
        ("service:a OR service:b", "service", "a or b", False),
        ("bet:1 OR bet:2", "any of", "bet:1 OR bet:2", False),
        ("NOT (a b)", "all of", "a b", True),
    ],
)
def test_a_chip_is_labelled_as_people_say_it(text: str, label: str, value: str, negated: bool) -> None:
    (chip,) = chips(parse(text, rules={"bet.id": "bet"}))

    assert (label, value, negated, "") == (chip.label, chip.value, chip.negated, chip.without)


@pytest.mark.parametrize(
    ("text", "field", "values", "rest"),
    [
        ("service:wallet", "service", ("wallet",), ""),
        ("a service:wallet b", "service", ("wallet",), "a b"),
        ("service:wallet OR field.service:bets", "service", ("wallet", "bets"), ""),
        ("(a OR b) (service:x OR service:y OR service:x)", "service", ("x", "y"), "a OR b"),
        ("topic:bets order.id:4", "destination", ("bets",), "order.id:4"),
    ],
)
def test_values_that_are_picked_of_a_field_can_be_picked_otherwise(
    text: str, field: str, values: tuple[str, ...], rest: str
) -> None:
    pick = picks(parse(text))[0]

    assert (field, values, rest) == (pick.field, pick.values, pick.rest)
    other = picked(pick, (*values, "other one"))
    assert (*values, "other one") == {one.field: one.values for one in picks(parse(other))}[field]
    assert rest == picked(pick, ())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "service:w*",
        "-service:wallet",
        "service:a OR topic:b",
        "service:a service:b",
        "duration>5ms",
        "a OR service:b",
    ],
)
def test_what_does_more_than_pick_values_is_no_pick(text: str) -> None:
    assert () == picks(parse(text))


def test_an_empty_question_has_no_chips() -> None:
    assert () == chips(parse(""))


def test_a_chip_converts_into_that_of_an_answer() -> None:
    (chip,) = chips(parse("-a"))

    assert answers.Chip(label="text", value="a", negated=True) == answers.Chip(**msgspec.structs.asdict(chip))
