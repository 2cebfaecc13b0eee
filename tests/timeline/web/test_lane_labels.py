"""Where the names of bars stand."""

from __future__ import annotations

from typing import Any

import pytest

from timeline.rebuild.lanes import Bar
from timeline.web.contexts.lanes import _bar, _Labels


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
