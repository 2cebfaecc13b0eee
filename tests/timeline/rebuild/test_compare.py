"""Two stories are aligned by step, and the first difference is where they part."""

from __future__ import annotations

from timeline.domain import Entry, Timeline
from timeline.rebuild.compare import compare, first_difference

S = 1_000_000_000


def _story(*steps: tuple[str, str] | tuple[str, str, str] | tuple[str, str, str, int]) -> Timeline:
    """Steps one second apart, each a lane, what, perhaps a status, perhaps a length in s."""
    entries = []
    for number, (lane, what, *more) in enumerate(steps):
        status = more[0] if more else "ok"
        took = more[1] if len(more) > 1 else 0
        entries.append(
            Entry(
                at=number * S,
                until=(number + took) * S,
                lane=lane,
                what=what,
                status=status,
                fact=str(number),
            )  # type: ignore[arg-type]
        )
    return Timeline(subject="x", entries=tuple(entries))


PAID = _story(("shop", "place"), ("bank", "reserve"), ("bank", "settle"), ("bank", "pay"))


def _differences(left: Timeline, right: Timeline) -> list[tuple[str, str]]:
    return [(pair.step.what, pair.difference) for pair in compare(left, right) if pair.difference]


def test_equal_stories_differ_nowhere() -> None:
    assert first_difference(compare(PAID, PAID)) is None
    assert 4 == len(compare(PAID, PAID))


def test_a_step_that_one_lacks_is_told_from_either_side() -> None:
    stuck = _story(("shop", "place"), ("bank", "reserve"), ("bank", "pay"))
    assert [("settle", "only here")] == _differences(PAID, stuck)
    assert [("settle", "only there")] == _differences(stuck, PAID)
    assert 2 == first_difference(compare(PAID, stuck))


def test_the_same_step_by_another_service_is_another_step() -> None:
    other = _story(("shop", "place"), ("shop", "reserve"), ("bank", "settle"), ("bank", "pay"))
    assert [("reserve", "only here"), ("reserve", "only there")] == _differences(PAID, other)


def test_a_failure_of_one_is_a_difference() -> None:
    failed = _story(("shop", "place"), ("bank", "reserve", "error"), ("bank", "settle"), ("bank", "pay"))
    assert [("reserve", "failed there")] == _differences(PAID, failed)
    assert [("reserve", "failed here")] == _differences(failed, PAID)
    assert [] == _differences(failed, failed)


def test_only_what_is_felt_counts_as_slower() -> None:
    slow = _story(("shop", "place"), ("bank", "reserve", "ok", 30), ("bank", "settle"), ("bank", "pay"))
    assert [("reserve", "slower there")] == _differences(PAID, slow)
    somewhat = _story(("shop", "place"), ("bank", "reserve", "ok", 31), ("bank", "settle"), ("bank", "pay"))
    assert [] == _differences(slow, somewhat)


def test_what_only_came_along_or_has_no_time_is_left_out() -> None:
    extra = Timeline(
        subject="x",
        entries=(
            *PAID.entries,
            Entry(at=9 * S, lane="shop", what="odds", badges=("context",)),
            Entry(at=None, lane="shop", what="never"),
        ),
    )
    assert [] == _differences(PAID, extra)
