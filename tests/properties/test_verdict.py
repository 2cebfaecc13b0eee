"""The law of the verdict: not seen is only said where nothing could hide a match."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOW
from timeline.search.obstacles import Missed, obstacles
from timeline.search.query import Window
from timeline.search.times import HOUR, MINUTE, MS
from timeline.search.verdict import Evidence, judge

moments = st.integers(min_value=0, max_value=200).map(lambda n: NOW + (n - 150) * 10 * MINUTE)
ranges = st.tuples(moments, moments).map(lambda pair: (min(pair), max(pair) + 1))
groups = st.lists(
    ranges.map(lambda pair: Missed(start=pair[0], end=pair[1], items=1, reason="")), max_size=2
).map(tuple)


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    low, high = draw(ranges)
    up_to = min(draw(moments), NOW)
    pending = draw(st.integers(min_value=0, max_value=1))
    return Evidence(
        window=Window(start=low, end=draw(st.sampled_from([high, None])), on="either"),
        now=NOW,
        up_to=up_to,
        pending_requests=pending,
        oldest_pending=max(draw(moments), up_to) if pending else None,
        recorded_since=draw(st.none() | moments),
        recorded=tuple(draw(st.lists(ranges, max_size=3))) + draw(st.sampled_from([(), ((0, NOW),)])),
        complete=tuple(draw(st.lists(ranges, max_size=2))),
        retention_edge=draw(st.none() | moments),
        refused=draw(groups),
        quarantined=draw(groups),
        partly_indexed=draw(st.integers(min_value=0, max_value=1)),
        failed=tuple(draw(st.lists(st.just("A read failed."), max_size=1))),
        sampled=tuple(draw(st.lists(st.just("wallet"), max_size=1))),
        lateness=draw(st.sampled_from([0, MINUTE, HOUR])),
    )


@given(evidences())
def test_not_seen_is_never_said_where_anything_could_hide_a_match(given_: Evidence) -> None:
    """Checked moment by moment from the definitions, not by the code under test."""
    if judge(given_).kind != "not_seen":
        return
    start, end = given_.window.start, given_.window.end
    assert start is not None
    latest = NOW * 2 if end is None else end + given_.lateness
    judged_end = given_.up_to if end is None else min(end, given_.up_to)

    assert start < given_.up_to
    assert (0, 0, 0) == (len(given_.failed), len(given_.sampled), given_.partly_indexed)
    assert given_.recorded_since is not None
    assert given_.retention_edge is None or start >= given_.retention_edge
    assert not any(
        missed.end >= start and missed.start < latest for missed in given_.refused + given_.quarantined
    )
    oldest = NOW if given_.oldest_pending is None else given_.oldest_pending
    on_its_way = NOW - oldest < given_.settling + given_.visibility_lag and given_.up_to <= oldest
    assert not given_.pending_requests or oldest >= latest or on_its_way
    for moment in {start, judged_end - 1, *(edge for pair in given_.recorded for edge in pair)}:
        if start <= moment < judged_end:
            covered = any(low <= moment < high for low, high in given_.recorded)
            complete = any(low <= moment < high for low, high in given_.complete)
            assert covered or complete


@given(evidences(), st.integers(min_value=1, max_value=5))
def test_a_match_is_seen_whatever_else_went_wrong(given_: Evidence, count: int) -> None:
    judgement = judge(msgspec.structs.replace(given_, count=count, first=NOW, last=NOW + MS))

    assert "seen" == judgement.kind
    assert obstacles(given_) == judgement.causes
