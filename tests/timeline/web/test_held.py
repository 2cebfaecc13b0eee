"""What a process holds of rebuilt traces: one picture a mark, bounded, rebuilt once where it is gone."""

from __future__ import annotations

import pytest

from tests.timeline.rebuild.cast import rebuilt, spanned
from timeline.answers import Coverage, TraceAnswer
from timeline.search.query import Window
from timeline.web import held
from timeline.web.held import Shelf, mark_of


def answer(trace: int, count: int = 2) -> TraceAnswer:
    facts = tuple(spanned(trace, number, number, 9) for number in range(1, count + 1))
    coverage = Coverage(window=Window(), up_to=0, now=0)
    return TraceAnswer(trace_id=f"{trace:032x}", facts=facts, timeline=rebuilt(*facts), coverage=coverage)


def refuse(trace_id: str) -> TraceAnswer | None:
    raise AssertionError(f"{trace_id} was asked for")


def test_a_held_picture_is_given_without_asking_the_store() -> None:
    shelf = Shelf()
    put = shelf.put(answer(1))
    assert put is shelf.get(f"{1:032X}", put.mark, refuse)


def test_a_picture_that_is_not_held_is_rebuilt_and_says_by_its_mark_whether_it_is_the_same() -> None:
    shelf = Shelf()
    mark = shelf.put(answer(1, 2)).mark
    grown = shelf.get(f"{1:032x}", "another", lambda _: answer(1, 3))
    assert grown is not None
    assert mark != grown.mark
    again = Shelf().get(f"{1:032x}", mark, lambda _: answer(1, 2))
    assert again is not None
    assert mark == again.mark
    assert None is Shelf().get("unknown", mark, lambda _: None)


def test_a_mark_names_the_rows_and_nothing_else() -> None:
    assert mark_of(answer(1)) == mark_of(answer(1))
    assert mark_of(answer(1)) != mark_of(answer(2))


def test_what_is_held_is_bounded_and_the_newest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "MOST_FACTS", 5)
    shelf = Shelf()
    first, second, third = (shelf.put(answer(number)) for number in (1, 2, 3))
    assert third is shelf.get(f"{3:032x}", third.mark, refuse)
    assert second is shelf.get(f"{2:032x}", second.mark, refuse)
    with pytest.raises(AssertionError):
        shelf.get(f"{1:032x}", first.mark, refuse)
    large = shelf.put(answer(4, 9))
    assert large is shelf.get(f"{4:032x}", large.mark, refuse)


def test_what_nobody_looks_at_any_more_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    first = shelf.put(answer(1))
    first.used -= held.KEPT_FOR + 1
    shelf.put(answer(2))
    with pytest.raises(AssertionError):
        shelf.get(f"{1:032x}", first.mark, refuse)


def test_a_drawing_is_made_once_for_each_way_of_folding() -> None:
    put = Shelf().put(answer(1))
    assert put.drawn({}) is put.drawn({"find": "x"})
    assert put.drawn({}) is not put.drawn({"fold": "0"})
