"""Where the names of bars and events stand."""

from __future__ import annotations

from typing import Any

import pytest

from timeline.rebuild.lanes import Bar, Mark
from timeline.web.contexts.lanes import _bar, _Labels, _mark


def drawn(labels: _Labels, at: float, width: float = 4) -> dict[str, Any]:
    bar = Bar(fact="f", x=at, width=width, what="TrackBallMoved", length="10 ms", status="ok")
    return _bar(bar, 0, labels, {}, "")


@pytest.mark.parametrize(("at", "anchor"), [(0, "start"), (500, "start"), (950, "end"), (996, "end")])
def test_a_name_begins_or_ends_with_its_bar(at: float, anchor: str) -> None:
    assert anchor == drawn(_Labels(), at)["name_anchor"]


def test_a_name_that_would_cover_another_is_left_out() -> None:
    labels = _Labels()
    assert [True, True, False] == [bool(drawn(labels, at)["name_at"]) for at in (500, 420, 510)]
    assert ["end", ""] == [drawn(labels, at)["name_anchor"] for at in (990, 985)]


def test_of_two_events_at_the_end_of_a_drawing_the_last_is_named_below() -> None:
    labels = _Labels()
    marks = [Mark(fact="f", x=at, what="PayoutCompleted", status="ok") for at in (978, 1000)]
    drawn = [_mark(mark, 0, labels, {}, "") for mark in marks]
    assert ["end", "end"] == [one["anchor"] for one in drawn]
    assert drawn[0]["label_y"] < drawn[0]["y"] == drawn[1]["y"] < drawn[1]["label_y"]
