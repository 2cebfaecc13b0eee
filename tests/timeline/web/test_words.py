"""Times and lengths as people read them; foreign text with nothing hidden in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pages import story
from timeline.web import words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\x00b", "a\u2400b"),
        ("\u202egnp.exe", "\u27e8U+202E\u27e9gnp.exe"),
        ("a\u200bb", "a\u27e8U+200B\u27e9b"),
        ("line\nend", "line\u240aend"),
        ("\ud800", "\u27e8U+D800\u27e9"),
        ("caf\u00e9 \U0001f600", "caf\u00e9 \U0001f600"),
    ],
)
def test_what_cannot_be_seen_is_made_visible(text: str, shown: str) -> None:
    assert shown == words.visible(text)


@given(st.text())
def test_nothing_that_hides_or_reorders_is_left(text: str) -> None:
    left = set(words.visible(text))
    assert not left & set("\x00\x07\x1b\x7f\x85\u200b\u200f\u2028\u202e\u2066\ufeff")


@given(st.text())
def test_a_block_keeps_its_lines(text: str) -> None:
    assert text.count("\n") == words.visible_lines(text).count("\n")


def test_an_id_is_cut_in_its_middle_and_never_beyond_the_limit() -> None:
    assert "4f1c7be2\u2026d91ae346" == words.middle(story.TRACE, 17)
    assert "short" == words.middle("short", 17)


@pytest.mark.parametrize(
    ("ns", "said"),
    [
        (450, "450 ns"),
        (90 * words.SECOND, "90 s"),
        (26 * words.MINUTE + 1, "26 min"),
        (83 * words.MINUTE, "1 h 23 min"),
    ],
)
def test_a_label_names_the_largest_units(ns: int, said: str) -> None:
    assert said == words.about(ns)


def test_moments_carry_milliseconds_and_titles_all_digits() -> None:
    at = story.at("18:15:09.7581234")
    assert "18:15:09.758" == words.clock(at)
    assert "21 Nov 2026, 18:15:09.758" == words.stamp(at)
    assert "2026-11-21T18:15:09.758123400Z" == words.iso(at)


@given(st.integers(-(2**70), 2**70))
def test_every_number_can_be_written(ns: int) -> None:
    assert words.clock(ns)
    assert words.iso(ns)
    assert words.stamp(ns)
