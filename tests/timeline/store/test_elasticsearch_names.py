"""Ids become numbers that order as they do, and tokens lose two characters one to one."""

import random
from base64 import urlsafe_b64decode

from hypothesis import given
from hypothesis import strategies as st

from timeline.ingest.identity import moment
from timeline.store.elasticsearch import names

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ids = st.text(ALPHABET, min_size=20, max_size=20)
# a gap stands alone: before these it would pass for another character on the wire
tokens = st.text(st.sampled_from("ab`\x7f\0\x01\x02760.é🚀"), max_size=12).filter(
    lambda text: "\x0160." not in text and "\x017f." not in text
)


@given(ids, ids)
def test_ranks_order_as_ids_do(one: str, other: str) -> None:
    assert (one < other) == (names.ranks(one) < names.ranks(other))


@given(ids)
def test_an_id_comes_back_from_its_ranks_which_fit_the_cluster(fact_id: str) -> None:
    high, low = names.ranks(fact_id)
    assert fact_id == names.id_of(high, low)
    assert 0 <= high < 1 << 60
    assert 0 <= low < 1 << 60


@given(ids)
def test_an_id_tells_its_moment_as_base64_does(fact_id: str) -> None:
    assert int.from_bytes(urlsafe_b64decode(fact_id[:8]), "big") == moment(fact_id)


@given(ids, st.integers(0, 20))
def test_the_range_of_a_prefix_holds_exactly_the_ids_that_start_with_it(fact_id: str, size: int) -> None:
    chance = random.Random(size)
    found = names.rank_range(fact_id[:size])
    assert found is not None
    for _ in range(20):
        other = fact_id[: chance.randrange(21)]
        other += "".join(chance.choices(ALPHABET, k=20 - len(other)))
        assert other.startswith(fact_id[:size]) == (found[0] <= names.ranks(other) <= found[1])


def test_what_no_id_can_start_with_has_no_range() -> None:
    assert names.rank_range("*") is None
    assert names.rank_range("A" * 21) is None


@given(tokens, tokens)
def test_tokens_stay_apart_on_the_wire_and_prefixes_stay_prefixes(one: str, other: str) -> None:
    assert (one == other) == (names.wire(one) == names.wire(other))
    assert names.wire(one + other) == names.wire(one) + names.wire(other)
    assert not {"\0", "\x01"} & set(names.wire(one))


@given(st.lists(st.sampled_from(["a", "b" * 254, "c" * 255, "d" * 256, "e" * 600, "é" * 255, "🚀" * 128])))
def test_a_token_too_long_for_the_cluster_is_noticed_wherever_it_stands(parts: list[str]) -> None:
    expected = any(len(part.encode("utf-16-le")) // 2 > 255 for part in parts)
    assert expected == names.any_long(" ".join(parts))


def test_days_are_named_from_2000_to_2099_and_all_else_is_odd() -> None:
    assert ["odd", "odd", "2000.01.01", "2099.12.31", "odd", "odd"] == [
        names.day_of(ms)
        for ms in (0, 946_684_799_999, 946_684_800_000, 4_102_444_799_999, 4_102_444_800_000, (1 << 48) - 1)
    ]


def test_a_day_ends_where_the_next_begins() -> None:
    assert 946_771_200 * 10**9 == names.end_of("2000.01.01")
