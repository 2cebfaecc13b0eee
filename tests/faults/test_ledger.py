"""The checker catches what it is there for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.ledger import judge, unaccounted

SENT: dict[str, dict[str, Any]] = {"a": {"n": 1}, "b": {"n": 2}, "c": {"n": [1, {"x": True}]}}
FOUND = list(SENT.items())


def test_what_was_acknowledged_and_is_there_once_is_clean() -> None:
    assert judge(SENT, set(SENT), FOUND).clean
    assert judge(SENT, {"a"}, FOUND).clean, "what was not answered may be there"
    assert judge(SENT, {"a"}, FOUND[:1]).clean, "what was not answered need not be there"


@pytest.mark.parametrize(
    ("found", "kind", "which"),
    [
        (FOUND[1:], "lost", ["a"]),
        ([*FOUND, FOUND[2]], "doubled", ["c"]),
        ([*FOUND, ("d", {})], "phantom", ["d"]),
        ([("a", {"n": 1.0}), *FOUND[1:]], "wrong", ["a"]),
        ([*FOUND[:2], ("c", {"n": [1, {"x": 1}]})], "wrong", ["c"]),
        ([("a", {}), *FOUND[1:]], "wrong", ["a"]),
    ],
)
def test_what_is_lost_doubled_made_up_or_changed_is_named(
    found: list[tuple[str, dict[str, Any]]], kind: str, which: list[str]
) -> None:
    verdict = judge(SENT, set(SENT), found)
    assert not verdict.clean
    assert which == getattr(verdict, kind)


@pytest.mark.parametrize(
    ("tally", "missing"),
    [
        ({}, 0),
        (
            {"received": 9, "refused": 1, "inbox": 2, "new": 3, "already": 1, "variant": 1, "quarantined": 1},
            0,
        ),
        ({"received": 9, "new": 8}, 1),
        ({"received": 9, "new": 9, "already": 1}, -1),
    ],
)
def test_books_that_do_not_add_up_are_noticed(tally: dict[str, int], missing: int) -> None:
    assert missing == unaccounted(tally)
