"""Every example of the search page's manual is a question."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from timeline.search.grammar import parse, unparse
from timeline.search.times import parse_time, parse_window

PAGE = (Path(__file__).parents[2] / "docs" / "searching.md").read_text()
EXAMPLES = [
    line
    for block in re.findall(r"```query\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line
]


def test_the_manual_has_examples_of_every_kind() -> None:
    assert len(EXAMPLES) > 30


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_parses_and_keeps_its_meaning_in_canonical_text(example: str) -> None:
    tree = parse(example).tree

    assert tree is not None
    assert tree == parse(unparse(tree)).tree


def test_each_example_of_a_range_is_read() -> None:
    line = re.search(r"The range stands beside the box: (.*?)UTC is meant", PAGE, re.DOTALL)
    assert line is not None
    examples = re.findall(r"`([^`]+)`", line[1])

    now = parse_time("2026-12-01T23:00Z", 0)
    windows = [parse_window(example, now) for example in examples]

    assert 7 == len(windows)
    assert all(window.start is not None and window.end is not None for window in windows)
