"""Which rows a URL closes, and which of several pictures a mark names."""

from __future__ import annotations

import pytest

from tests.timeline.rebuild.cast import rebuilt, spanned
from timeline.rebuild.tree import Tree, tree
from timeline.web.contexts.folding import closed_rows, places, ranges

MARK = "abcdef012345"


def kin() -> Tree:
    """0 > 1 > 2, 0 > 3 > 4."""
    parents = {1: None, 2: 1, 3: 2, 4: 1, 5: 4}
    return tree(rebuilt(*(spanned(1, n, n, 9, parent=above) for n, above in parents.items())))


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("", set()), ("abcd..1", {1}), ("abcd..0-3", {0, 1, 3}), ("abcd.d1.", {1, 3}), ("abcd.d0.0", {1, 3}),
        ("abcd..2,4", set()), ("abcd..99", set()), ("abcd.d99.1", {1}),
    ],
)  # fmt: skip
def test_what_a_url_closes(text: str, closed: set[int]) -> None:
    assert closed == closed_rows(kin(), MARK, text)


@pytest.mark.parametrize(
    "text", ["ffff..1", "abcd", "abcd.x9.1", "abcd.d.1", "..1", "abcd..-1", "abcd..1-", "a" * 5000]
)
def test_a_link_to_another_picture_or_without_sense_closes_nothing(text: str) -> None:
    assert closed_rows(kin(), MARK, text) <= {1}
    assert text == "abcd..1-" or not closed_rows(kin(), MARK, text)


def test_ranges_go_there_and_back() -> None:
    assert "0,3-5,9" == ranges([0, 3, 4, 5, 9])
    assert [0, 3, 4, 5, 9] == places("0,3-5,9", 100)
    assert [] == places("", 100)


def test_a_huge_range_is_no_work() -> None:
    assert [0, 1, 2] == places("0-999999999999", 3)
    assert 10 == len(places("0-99999,0-99999", 100_000, 10))
