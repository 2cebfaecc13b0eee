"""What came late, out of order or again is told by shape, and clocks that differ by a range."""

from __future__ import annotations

from typing import Any

import pytest

from tests import builders as b
from timeline.domain import Message, Skew, Stored, Timeline
from timeline.rebuild.assemble import timeline
from timeline.rebuild.lanes import lanes
from timeline.web.contexts.lanes import drawing
from timeline.web.contexts.skew import clocks_said

MS, MINUTE = 10**6, 60 * 10**9
ORDER = b.entities("order:1")


def _drawn(*facts: Stored) -> dict[str, Any]:
    story = timeline("order:1", facts, now=b.NOW)
    return drawing(lanes(story, facts), {}, {}, "")


def _things(drawn: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {thing["what"]: thing for lane in drawn["lanes"] for thing in (*lane["bars"], *lane["marks"])}


def _event(number: int, name: str, at: int, **receipt: Any) -> Stored:
    return b.stored(b.event(number, name=name, at=at, service="shop", entities=ORDER, event=None), **receipt)


def test_a_fact_that_came_late_carries_a_flag() -> None:
    drawn = _drawn(
        _event(1, "Scanned", b.NOW, received=b.NOW + 5 * MINUTE),
        _event(2, "Sold", b.NOW + MS, received=b.NOW + 2 * MS),
    )
    things = _things(drawn)
    assert (True, False) == (things["Scanned"]["late"], things["Sold"]["late"])
    assert {"duplicate": False, "late": True, "wrong": False} == drawn["shapes"]


def test_a_handling_before_its_sending_is_a_diamond() -> None:
    message = {"system": "kafka", "destination": "orders", "partition": "0", "offset": 1}
    sent = b.span(
        1, 1, name="send", service="shop", kind="producer", start=b.NOW, end=b.NOW + MS, entities=ORDER,
        message=Message(operation="send", **message),  # type: ignore[arg-type]
    )  # fmt: skip
    taken = b.span(
        1, 2, name="handle", service="depot", kind="consumer", parent=b.span_id(1), start=b.NOW - 50 * MS,
        end=b.NOW - 20 * MS, entities=ORDER, message=Message(operation="process", group="depot", **message),  # type: ignore[arg-type]
    )  # fmt: skip
    drawn = _drawn(*(b.stored(fact, received=b.NOW + MS) for fact in (sent, taken)))
    assert _things(drawn)["handle"]["wrong"]
    assert drawn["shapes"]["wrong"]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (5 * MS, 40 * MS, "The clock of shop runs 5 ms to 40 ms ahead of that of depot."),
        (5 * MS, None, "The clock of shop runs at least 5 ms ahead of that of depot."),
        (-40 * MS, -5 * MS, "The clock of depot runs 5 ms to 40 ms ahead of that of shop."),
        (None, -5 * MS, "The clock of depot runs at least 5 ms ahead of that of shop."),
    ],
)
def test_clocks_that_differ_are_told_as_a_range(low: int | None, high: int | None, said: str) -> None:
    assert [said] == clocks_said(
        Timeline(subject="x", skew=(Skew(service="shop", against="depot", low=low, high=high),))
    )


def test_clocks_that_may_agree_are_not_spoken_of() -> None:
    assert [] == clocks_said(Timeline(subject="x", skew=(Skew(service="a", against="b", low=-MS, high=MS),)))
