"""Columns: the URL comes first, then the reader's own; a link changes nothing of theirs."""

from __future__ import annotations

from timeline.web.contexts.columns import MOST, USUAL, chosen, columns_of


def keys(text: str) -> list[str]:
    return [column.key for column in columns_of(text)]


def test_columns_are_named_in_order_and_once_and_other_names_are_keys() -> None:
    assert ["service", "name", "order.total"] == keys("service,name,service,order.total")
    assert [] == keys("")
    assert [] == keys("\x00,\n")


def test_the_name_is_always_there_since_it_opens_the_fact() -> None:
    assert ["name", "size"] == keys("size")


def test_no_more_columns_than_a_window_holds() -> None:
    assert MOST >= len(keys(",".join(f"k{number}" for number in range(40))))
    assert "name" in keys(",".join(f"k{number}" for number in range(40)))


def test_the_url_comes_before_the_readers_own_and_says_so() -> None:
    own = {"columns": "name,size", "density": "comfortable"}
    assert list(USUAL) == [column.key for column in chosen({}, {})["columns"]]
    mine = chosen({}, own)
    assert (["name", "size"], "comfortable", False) == (
        [column.key for column in mine["columns"]],
        mine["density"],
        mine["by_link"],
    )
    linked = chosen({"columns": "name,trace", "density": "compact"}, own)
    assert (["name", "trace"], "compact", True) == (
        [column.key for column in linked["columns"]],
        linked["density"],
        linked["by_link"],
    )
    assert not chosen({"columns": "name,size"}, own)["by_link"]
    assert "compact" == chosen({"density": "huge"}, {"density": "tiny"})["density"]
