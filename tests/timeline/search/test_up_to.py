"""Up to which moment a verdict speaks, and how it names a range."""

from __future__ import annotations

from tests.timeline.search.test_verdict import NOW, SINCE, START, evidence, window
from timeline.search.times import DAY, SECOND
from timeline.search.verdict import judge


def test_a_range_over_two_days_names_both() -> None:
    judgement = judge(
        evidence(
            window=window(START - DAY, START),
            recorded=((SINCE - 2 * DAY, NOW),),
            recorded_since=SINCE - 2 * DAY,
        )
    )

    assert "Not seen between 20 Nov 2026, 16:30 and 21 Nov 2026, 16:30 UTC." == judgement.sentence


def test_what_came_a_moment_ago_only_moves_the_watermark() -> None:
    for waited, kind in ((SECOND, "not_seen"), (3 * SECOND, "cannot_say")):
        oldest = NOW - waited
        judgement = judge(
            evidence(window=window(START, None), up_to=oldest, pending_requests=1, oldest_pending=oldest)
        )

        assert kind == judgement.kind
