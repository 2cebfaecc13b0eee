"""Which ids a paste or a file names."""

from __future__ import annotations

import pytest

from timeline.errors import BadQuery, TooLarge
from timeline.web.seen import MOST, ids_of


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("a\nb\r\nc", ["a", "b", "c"]),
        ("a, b;c\td", ["a", "b", "c", "d"]),
        ('"x,1",paid\n"y",open', ["x,1", "y"]),
        (" a \n\n a \nb", ["a", "b"]),
        ("", []),
        ("a\0b\nc", ["a\0b", "c"]),
    ],
)
def test_ids_are_lines_or_first_cells_once_each_in_order(text: str, ids: list[str]) -> None:
    assert ids == ids_of(text)


def test_more_ids_than_the_limit_are_refused_with_the_way_out() -> None:
    with pytest.raises(TooLarge) as refused:
        ids_of("\n".join(map(str, range(MOST + 1))))
    assert "parts" in refused.value.remedy


def test_a_document_is_not_an_id() -> None:
    with pytest.raises(BadQuery):
        ids_of("x" * 2_000)
