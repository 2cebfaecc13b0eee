"""What becomes of values under rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.redaction.rules import GONE, Action, Redaction, Rule

CARD = "4111111111111111"
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(max_size=40)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def rules(*found: tuple[str, str, Action]) -> Redaction:
    made = [
        Rule(number=n, by=by, match=match, action=action) for n, (by, match, action) in enumerate(found, 1)
    ]  # type: ignore[arg-type]
    return Redaction(made, b"salt")


@pytest.mark.parametrize(
    ("action", "expected"), [("drop", GONE), ("mask", "[masked]"), ("hash", rules().hashed("ann"))]
)
def test_an_attribute_is_dropped_masked_or_hashed(action: Action, expected: Any) -> None:
    redaction = rules(("attribute", "user.name", action))

    assert expected == redaction.value("user.name", "ann")
    assert expected == redaction.value("User.Name", "ann")
    assert "ann" == redaction.value("user.nick", "ann")
    assert {1: 2} == redaction.counted()
    assert {} == redaction.counted()


@pytest.mark.parametrize(
    ("match", "key", "hit"),
    [
        ("*.password", "db.password", True),
        ("*.password", "password", False),
        ("http.request.header.*", "http.request.header.cookie", True),
        ("*token*", "accessTokenOld", True),
        ("user.email", "my.user.email", False),
        ("a.b", "aXb", False),
    ],
)
def test_a_star_stands_for_anything_and_a_dot_for_a_dot(match: str, key: str, hit: bool) -> None:
    assert hit is (rules(("attribute", match, "drop")).value(key, "v") is GONE)


def test_members_are_named_alone_or_by_their_path() -> None:
    body = {"customer": {"email": "a@b.org", "pin": 1234, "note": "x"}, "pin": [1, 2]}

    assert {"customer": {"email": "a@b.org", "note": "x"}} == rules(("attribute", "pin", "drop")).body(body)
    masked = rules(("attribute", "customer.email", "mask")).body(body)
    assert {"email": "[masked]", "pin": 1234, "note": "x"} == masked["customer"]  # type: ignore[call-overload, index]


def test_a_whole_body_is_named_body() -> None:
    assert rules(("attribute", "body", "drop")).body({"a": 1}) is None
    assert "[masked]" == rules(("attribute", "body", "mask")).body("text")


def test_a_hash_is_taken_of_every_leaf_as_questions_write_it() -> None:
    redaction = rules(("attribute", "a", "hash"))

    expected = {"x": [redaction.hashed("1"), redaction.hashed("true")], "y": None}
    assert expected == redaction.value("a", {"x": [1, True], "y": None})


def test_json_within_a_text_is_read() -> None:
    redaction = rules(("attribute", "pin", "drop"), ("detector", "card", "mask"))

    assert '{"n":"[masked card]"}' == redaction.value("body", f'{{"pin": 1, "n": "{CARD}"}}')
    assert '{"other": 1}' == redaction.value("body", '{"other": 1}')


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("user=a&password=p%26q&n=1", "user=a&password=[masked]&n=1"),
        ("/login?Password=abc HTTP", "/login?Password=[masked] HTTP"),
        ('said {"password": "abc", "n": 1', 'said {"password": "[masked]", "n": 1'),
        ('esc {\\"password\\":\\"abc\\"}', 'esc {\\"password\\":\\"[masked]\\"}'),
        ("password: abc, rest", "password: [masked], rest"),
        ('cut {"password": {"inner": "abc", "n": [1', 'cut {"password": [masked]'),
        ("password=[masked]&password=abc", "password=[masked]&password=[masked]"),
        ("my-password=abc", "my-password=abc"),
    ],
)
def test_what_is_assigned_to_a_name_within_a_text_is_taken_too(text: str, left: str) -> None:
    assert left == rules(("attribute", "password", "mask")).value("log", text)


def test_detectors_look_at_numbers_keys_lists_and_bytes() -> None:
    redaction = rules(("detector", "card", "mask"), ("detector", "email", "hash"))
    address = redaction.hashed("ann@example.org")

    assert "[masked card]" == redaction.value("n", int(CARD))
    assert {address: [f"to {address}", b"ok"]} == redaction.value(
        "m", {"ann@example.org": ["to Ann@Example.org", b"ok"]}
    )
    assert b"n=[masked card]" == redaction.value("b", f"n={CARD}".encode())
    assert b"" == redaction.value("b", b"\xff\x00" + CARD.encode())  # not text: none of it is kept
    assert b"\xff\x00" == redaction.value("b", b"\xff\x00")


def test_two_spellings_of_a_secret_have_one_hash() -> None:
    redaction = rules(("detector", "card", "hash"))

    assert redaction.text(CARD) == redaction.text("4111 1111 1111 1111") == redaction.hashed(CARD)


def test_what_tells_events_apart_is_hashed_whatever_the_action() -> None:
    redaction = rules(("attribute", "id", "drop"), ("detector", "email", "mask"))

    assert redaction.hashed("e-1") == redaction.value("id", "e-1", needed=True)
    assert redaction.hashed("a@b.org") == redaction.value("source", "a@b.org", needed=True)


def test_rules_come_in_their_order_and_detectors_after_them() -> None:
    redaction = rules(("detector", "card", "mask"), ("attribute", "pan", "hash"), ("attribute", "p*", "drop"))

    assert redaction.hashed(CARD) == redaction.value("pan", CARD)
    assert {2: 1} == redaction.counted()


@given(VALUES)
def test_what_was_redacted_is_left_as_it_is_the_second_time(value: Any) -> None:
    redaction = rules(
        ("attribute", "a*", "hash"),
        ("attribute", "b*", "mask"),
        ("detector", "card", "hash"),
        ("detector", "email", "mask"),
    )
    once = redaction.body(value)

    assert once == redaction.body(once)


@given(VALUES)
def test_without_a_rule_that_fits_nothing_changes(value: Any) -> None:
    assert value == rules(("attribute", "no such key", "drop")).body(value)


def test_another_salt_makes_other_hashes() -> None:
    assert Redaction((), b"1").hashed("x") != Redaction((), b"2").hashed("x")
