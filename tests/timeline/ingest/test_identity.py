"""Ids, identities, content hashes and ties."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import DAY, NOW, SECOND, event, span, stored
from timeline.ingest.identity import content_of, identify, moment, tie, usable, variant_id

YEAR_2000 = 946_684_800 * SECOND
YEAR_2100 = 4_102_444_800 * SECOND


def test_an_id_is_twenty_url_safe_characters_that_start_with_its_ms() -> None:
    fact_id, identity, _ = identify("main", ("span", "a", "b"), NOW + 123_456_789)
    assert (len(fact_id), len(identity)) == (20, 16)
    assert moment(fact_id) == (NOW + 123_456_789) // 1_000_000
    assert set(fact_id) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize(
    ("at", "placed"),
    [
        (None, False),
        (0, False),
        (YEAR_2000 - 1, False),
        (YEAR_2000, True),
        (YEAR_2100 - 1, True),
        (YEAR_2100, False),
        (2**64 - 1, False),
    ],
)
def test_only_times_from_2000_to_2099_place_an_id(at: int | None, placed: bool) -> None:
    fact_id, _, _ = identify("main", ("log", 1), at)
    assert placed == usable(at)
    assert (at // 1_000_000 if placed and at is not None else 0) == moment(fact_id)


def test_the_identity_leaves_the_time_out_and_the_workspace_in() -> None:
    early, late = identify("main", ("span", "a"), NOW), identify("main", ("span", "a"), NOW + DAY)
    other = identify("other", ("span", "a"), NOW)
    assert early[1] == late[1]
    assert early[0] != late[0]
    assert early[0][8:] == late[0][8:]
    assert other[1] != early[1]


def test_parts_of_an_identity_cannot_be_shifted_into_each_other() -> None:
    pairs = [("ab", "c"), ("a", "bc"), ("", "abc"), ("a\0b", "c"), ("abc",)]
    assert len(pairs) == len({identify("main", pair, None)[1] for pair in pairs})


def test_content_keeps_value_kinds_apart_and_ignores_the_order_of_attributes() -> None:
    values = [1, 1.0, True, "1", b"1", [1], {"1": 1}, None, 0, False, "", b"", [], {}]
    assert len(values) == len({content_of({"key": value}) for value in values})
    assert content_of({"a": 1, "b": {"c": 2, "d": 3}}) == content_of({"b": {"d": 3, "c": 2}, "a": 1})


def test_a_variant_has_its_own_id_on_the_same_day_and_always_the_same() -> None:
    first, second = stored(span(), content="aa"), stored(span(), content="bb")
    assert first.receipt.id != variant_id(first)
    assert variant_id(first) != variant_id(second)
    twin = stored(event(), id=first.receipt.id, identity=first.receipt.identity, content="aa")
    assert variant_id(first) == variant_id(twin)
    assert moment(first.receipt.id) == moment(variant_id(first))
    assert len(variant_id(first)) == 20
    again = msgspec.structs.replace(second.receipt, variant=True)
    assert variant_id(second) == variant_id(msgspec.structs.replace(second, receipt=again))


def _tie(**given: object) -> int:
    plain = {"sequence": None, "at": NOW, "observed": NOW, "position": 0, "fact_id": "A" * 20}
    return tie(**(plain | given))  # type: ignore[arg-type]


def test_ties_go_by_sequence_then_observed_then_position_then_id() -> None:
    ordered = [
        _tie(),
        _tie(fact_id="A" * 19 + "B"),
        _tie(position=1),
        _tie(position=2),
        _tie(observed=NOW + 1_000_000),
        _tie(observed=NOW + 60 * SECOND, position=3),
        _tie(sequence="1"),
        _tie(sequence="2", position=9),
        _tie(sequence="10"),
    ]
    assert sorted(ordered) == ordered
    assert len(set(ordered)) == len(ordered)


@pytest.mark.parametrize("sequence", ["", "abc", "-1", "1.5", "²", None])
def test_a_sequence_that_is_no_number_does_not_order(sequence: str | None) -> None:
    assert _tie() == _tie(sequence=sequence)


@given(
    st.one_of(st.none(), st.text(), st.from_regex(r"[0-9]{1,40}", fullmatch=True)),
    st.one_of(st.none(), st.integers(0, 2**64 - 1)),
    st.one_of(st.none(), st.integers(0, 2**64 - 1)),
    st.integers(0, 2**30),
)
def test_a_tie_always_fits_62_bits(
    sequence: str | None, at: int | None, observed: int | None, position: int
) -> None:
    fact_id, _, _ = identify("main", ("x", position), at)
    assert 0 <= tie(sequence=sequence, at=at, observed=observed, position=position, fact_id=fact_id) < 2**62
