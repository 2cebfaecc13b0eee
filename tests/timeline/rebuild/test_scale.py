"""The folded axis."""

from __future__ import annotations

import itertools

import pytest

from tests.builders import DAY, HOUR, NOW, SECOND
from timeline.rebuild.scale import BREAK, WIDTH, Scale, scale

MS = SECOND // 1000


def at(*seconds: float) -> list[tuple[int, int]]:
    """Pairs of seconds after ``NOW`` as intervals."""
    ns = [NOW + round(value * SECOND) for value in seconds]
    return list(zip(ns[::2], ns[1::2], strict=True))


def test_nine_hours_of_waiting_leave_both_jobs_wider_than_a_fifth() -> None:
    axis = scale(at(0, 2, 32_402, 32_405))
    assert ["9 h idle"] == [one.label for one in axis.breaks]
    assert all(stretch.width > WIDTH / 5 for stretch in axis.stretches)
    assert [BREAK] == [one.width for one in axis.breaks]


def test_a_short_job_beside_a_long_one_can_still_be_read() -> None:
    axis = scale(at(0, 0.1, 5000, 5020))
    assert axis.stretches[0].width > WIDTH / 5


def test_a_gap_under_a_tenth_of_the_rest_stays() -> None:
    assert (1, 0) == (len(scale(at(0, 10, 11, 21)).stretches), len(scale(at(0, 10, 11.9, 21)).breaks))
    assert 1 == len(scale(at(0, 10, 12, 22)).breaks)


def test_folding_can_be_switched_off_whole_or_break_by_break() -> None:
    spans = at(0, 1, 1000, 1001, 3000, 3001)
    first = NOW + SECOND
    assert (2, 0) == (len(scale(spans).breaks), len(scale(spans, fold=False).breaks))
    assert [NOW + 1001 * SECOND] == [one.start for one in scale(spans, keep=frozenset({first})).breaks]


def test_steady_beats_are_not_idle_time() -> None:
    beats = [second for beat in range(40) for second in (beat, beat)]
    assert () == scale(at(*beats)).breaks


def test_clusters_of_moments_are_parted_by_breaks() -> None:
    moments = [
        second for start in (0, 3600, 7200) for step in range(4) for second in (start + step, start + step)
    ]
    assert 2 == len(scale(at(*moments)).breaks)


def test_a_single_moment_and_nothing_at_all_have_an_axis() -> None:
    assert (Scale(), 0.0) == (scale([]), scale([]).x(NOW))
    one = scale(at(0, 0))
    assert (WIDTH / 2, [WIDTH / 2]) == (one.x(NOW), [tick.x for tick in one.ticks])


def test_positions_never_run_backwards_and_stay_on_the_axis() -> None:
    axis = scale(at(0, 0.2, 40, 41, 41.5, 41.5, 90_000, 90_030))
    moments = [NOW + round(step * SECOND * 0.9) for step in range(-10, 110_000, 37)]
    places = [axis.x(moment) for moment in moments]
    assert sorted(places) == places
    assert (0.0, WIDTH) == (min(places), max(places))
    assert axis.x(axis.end) == WIDTH


def test_stretches_and_breaks_fill_the_axis_without_holes() -> None:
    axis = scale(at(0, 1, 100, 101, 1000, 1000, 9000, 9002))
    parts = [(one.x, one.width) for one in axis.stretches] + [(one.x, one.width) for one in axis.breaks]
    parts.sort()
    ends = [0.0, *(round(x + width, 1) for x, width in parts)]
    assert [round(x, 1) for x, _ in parts] == ends[:-1]
    assert ends[-1] == WIDTH


def test_an_interval_that_ends_before_it_starts_is_a_moment() -> None:
    axis = scale([(NOW + 5 * SECOND, NOW), *at(6, 8)])
    assert (NOW + 5 * SECOND, 0.0) == (axis.start, axis.width(NOW + 5 * SECOND, NOW))


@pytest.mark.parametrize(
    "length", [1, 900, 40_000, 3 * MS, 700 * MS, 9 * SECOND, HOUR, 5 * HOUR, 40 * DAY, 400 * 365 * DAY]
)
def test_ticks_have_room_and_stand_in_order(length: int) -> None:
    ticks = scale([(NOW, NOW + length)]).ticks
    gaps = [after.x - before.x for before, after in itertools.pairwise(ticks)]
    assert 1 <= len(ticks) <= 12
    assert all(gap >= 86 for gap in gaps)
    assert all(tick.label for tick in ticks)


def test_ticks_are_round_moments_after_a_first_one_in_full() -> None:
    ticks = scale([(NOW + 362 * MS, NOW + 662 * MS)]).ticks
    assert ["14:13:20.362", ".400", ".450", ".500", ".550", ".600"] == [tick.label for tick in ticks][:6]


def test_a_tick_tells_the_day_where_it_is_new() -> None:
    days = [tick.day for tick in scale(at(0, 10, 86_400, 86_410)).ticks]
    assert ["21 Sep 2026", "22 Sep 2026"] == [day for day in days if day]


def test_hostile_spreads_keep_a_bounded_number_of_breaks() -> None:
    spans = [(NOW + 3**step, NOW + 3**step + 1) for step in range(38)]
    assert len(scale(spans).breaks) <= 8
