"""What is being typed is found under the caret, and a choice replaces only that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.search.caret import completed, typed
from timeline.search.grammar import parse
from timeline.search.syntax import Pair


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, None, "")),
        ("ser", (0, None, "ser")),
        ("status:error ser", (13, None, "ser")),
        ("service:wal", (0, "service", "wal")),
        ("(service:wallet OR service:", (19, "service", "")),
        ("NOT type:Bet", (4, "type", "Bet")),
        ("-type:Bet", (1, "type", "Bet")),
        ('"a key":"a val', (0, "a key", "a val")),
        ('type:X note:"she said \\"ye', (7, "note", 'she said "ye')),
        ("bet:8812 ", (9, None, "")),
        ("order.id:42:7", (0, "order.id", "42:7")),
    ],
)
def test_the_word_before_the_caret(text: str, expected: tuple[int, str | None, str]) -> None:
    word = typed(text)
    assert word is not None
    assert expected == (word.start, word.key, word.begun)


@pytest.mark.parametrize("text", ["duration>5", '"some words', "a\nb", "x" * 2001, "field:(a"])
def test_nothing_is_completed_where_no_key_or_value_stands(text: str) -> None:
    word = typed(text)
    assert word is None or word.key is None


def test_only_what_stands_before_the_caret_counts() -> None:
    word = typed("service:wal type:Bet", 9)
    assert word is not None
    assert (0, "service", "w") == (word.start, word.key, word.begun)


@given(st.text(max_size=60), st.integers(-3, 80))
def test_any_text_is_read_without_a_fault(text: str, caret: int) -> None:
    word = typed(text, caret)
    assert word is None or 0 <= word.start <= len(text)


@given(
    st.text(min_size=1, max_size=20).filter(str.isprintable),
    st.text(min_size=1, max_size=20).filter(str.isprintable),
)
def test_a_choice_is_read_as_what_it_shows(key: str, value: str) -> None:
    pair = parse(completed(f"x.{key}", value)).tree
    assert isinstance(pair, Pair)
    assert (f"x.{key}", value) == (pair.key, pair.value)
