"""One question about an event that never came, and every cause that forbids to say so."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from timeline.answers import Cause
from timeline.search.obstacles import MAX_NAMED, Missed, Obstacle
from timeline.search.query import Window
from timeline.search.times import DAY, HOUR, MINUTE, SECOND, parse_time
from timeline.search.verdict import Evidence, Judgement, judge, obstacles


def at(text: str) -> int:
    return parse_time(f"2026-11-21T{text}Z", 0)


NOW = at("18:44:10.000")
UP_TO = at("18:42:07.120")
SINCE = at("06:00:04.310")
START, END = at("16:30"), at("17:30")

COVERED = Evidence(
    window=Window(start=START, end=END, on="either"),
    now=NOW,
    up_to=UP_TO,
    recorded_since=SINCE,
    recorded=((SINCE, NOW),),
    retention_edge=NOW - 14 * DAY,
    visibility_lag=SECOND,
)


def evidence(**changes: Any) -> Evidence:
    return msgspec.structs.replace(COVERED, **changes)


def window(start: int | None, end: int | None) -> Window:
    return Window(start=start, end=end, on="either")


def the_cause(judgement: Judgement) -> Obstacle:
    assert "cannot_say" == judgement.kind
    assert 1 == len(judgement.causes)
    return judgement.causes[0]


# --- not seen ---------------------------------------------------------------------------


def test_a_covered_range_without_a_match_is_not_seen() -> None:
    judgement = judge(COVERED)

    assert "not_seen" == judgement.kind
    assert "Not seen between 16:30 and 17:30 UTC." == judgement.sentence
    assert UP_TO == judgement.up_to
    assert ("No sender delivers later than 1 h after a fact's own time.",) == judgement.assumptions


def test_a_range_beyond_the_watermark_is_judged_up_to_it() -> None:
    for end in (None, NOW, NOW + DAY):
        judgement = judge(evidence(window=window(START, end)))

        assert "not_seen" == judgement.kind
        assert "Not seen up to 18:42:07.120 UTC." == judgement.sentence


def test_a_range_of_another_day_is_named_with_its_day_once() -> None:
    judgement = judge(
        evidence(
            window=window(START - DAY, END - DAY),
            recorded=((SINCE - 2 * DAY, NOW),),
            recorded_since=SINCE - 2 * DAY,
        )
    )

    assert "Not seen between 20 Nov 2026, 16:30 and 17:30 UTC." == judgement.sentence


def test_a_range_asked_by_received_time_needs_no_assumption_about_late_facts() -> None:
    judgement = judge(
        evidence(window=Window(start=START, end=END, on="received"), recorded=((SINCE, END + MINUTE),))
    )

    assert "not_seen" == judgement.kind
    assert () == judgement.assumptions


# --- seen -------------------------------------------------------------------------------


def test_seen_says_how_often_and_when() -> None:
    judgement = judge(evidence(count=3, variants=1, first=at("18:04:11.204"), last=at("18:09:40.013")))

    assert "seen" == judgement.kind
    assert "Seen 3 times, first 18:04:11.204, last 18:09:40.013 UTC." == judgement.sentence
    assert (3, 1) == (judgement.count, judgement.variants)


def test_seen_names_the_day_where_it_is_not_today() -> None:
    first = at("18:04:11.204") - DAY

    assert (
        "Seen 2 times, first 20 Nov 2026, 18:04:11.204, last 18:09:40.013 UTC."
        == judge(evidence(count=2, first=first, last=at("18:09:40.013"))).sentence
    )


def test_seen_once_needs_one_time_only() -> None:
    moment = at("18:04:11.204")

    assert "Seen once, at 18:04:11.204 UTC." == judge(evidence(count=1, first=moment, last=moment)).sentence


def test_seen_without_a_known_time_still_counts() -> None:
    assert "Seen 2 times." == judge(evidence(count=2)).sentence


def test_seen_with_a_capped_or_failed_read_is_at_least_so_often() -> None:
    for changes in ({"at_least": True}, {"failed": ("Shard 2 did not answer.",)}):
        judgement = judge(evidence(count=10_000, first=START, last=END, **changes))

        assert judgement.at_least
        assert judgement.sentence.startswith("Seen at least 10,000 times, ")


def test_a_variant_alone_is_seen() -> None:
    judgement = judge(evidence(variants=2))

    assert "seen" == judgement.kind
    assert "Seen only as 2 variants: other content sent again under a known id." == judgement.sentence


def test_what_is_seen_keeps_the_causes_for_the_page() -> None:
    judgement = judge(evidence(count=1, sampled=("wallet",)))

    assert ["sampled"] == [cause.kind for cause in judgement.causes]


# --- cannot say: one test per cause -----------------------------------------------------


def test_requests_not_yet_indexed_forbid_not_seen() -> None:
    cause = the_cause(
        judgement := judge(
            evidence(
                window=window(START, None), pending_requests=1204, pending_items=60_200, oldest_pending=UP_TO
            )
        )
    )

    assert "Cannot say: 1,204 requests not yet indexed." == judgement.sentence
    assert ("backlog", UP_TO, NOW, 60_200, "/senders") == (
        cause.kind,
        cause.start,
        cause.end,
        cause.items,
        cause.link,
    )


def test_items_between_the_inbox_and_the_store_forbid_not_seen() -> None:
    judgement = judge(evidence(window=window(START, None), pending_items=1))

    assert "Cannot say: 1 item not yet indexed." == judgement.sentence
    assert "backlog" == the_cause(judgement).kind


def test_a_backlog_received_long_after_the_range_does_not_count() -> None:
    assert "not_seen" == judge(evidence(pending_requests=5, oldest_pending=END + HOUR)).kind
    assert "cannot_say" == judge(evidence(pending_requests=5, oldest_pending=END + HOUR - 1)).kind


def test_a_range_that_lies_behind_the_watermark_cannot_be_judged_yet() -> None:
    judgement = judge(evidence(window=window(NOW - SECOND, None), up_to=NOW - 2 * SECOND))

    assert "refresh" == the_cause(judgement).kind
    assert "Cannot say: what arrived in the last 2.000 s cannot be searched yet." == judgement.sentence


def test_a_stalled_watermark_before_the_range_is_no_proof_even_where_the_backlog_came_later() -> None:
    judgement = judge(
        evidence(
            window=window(at("12:00"), at("12:30")),
            up_to=at("11:00"),
            pending_requests=1,
            oldest_pending=at("18:00"),
        )
    )

    assert "refresh" == the_cause(judgement).kind


def test_a_range_in_the_future_cannot_be_judged() -> None:
    cause = the_cause(judge(evidence(window=window(NOW + HOUR, NOW + 2 * HOUR))))

    assert ("future", "The range begins at 19:44:10.000, which is still to come.") == (
        cause.kind,
        cause.sentence,
    )


def test_a_receiver_outage_in_the_range_forbids_not_seen() -> None:
    judgement = judge(evidence(recorded=((SINCE, at("17:10")), (at("17:20"), NOW))))
    cause = the_cause(judgement)

    assert ("outage", at("17:10"), at("17:20"), "/senders") == (
        cause.kind,
        cause.start,
        cause.end,
        cause.link,
    )
    assert "Cannot say: no receiver was up from 17:10:00.000 to 17:20:00.000 UTC." == judgement.sentence


def test_an_outage_shortly_after_the_range_could_have_swallowed_a_late_fact() -> None:
    assert (
        "outage" == the_cause(judge(evidence(recorded=((SINCE, END + MINUTE), (END + 2 * MINUTE, NOW))))).kind
    )
    assert "not_seen" == judge(evidence(recorded=((SINCE, END + HOUR), (END + 2 * HOUR, NOW)))).kind


def test_an_outage_before_the_range_does_not_count() -> None:
    assert "not_seen" == judge(evidence(recorded=((SINCE, START - MINUTE), (START, NOW)))).kind


def test_receivers_of_several_nodes_cover_for_each_other() -> None:
    recorded = ((SINCE, at("17:15")), (at("17:10"), NOW), (at("16:45"), at("17:00")))

    assert "not_seen" == judge(evidence(recorded=recorded)).kind


def test_a_range_declared_complete_needs_no_receiver() -> None:
    whole = evidence(recorded_since=END + DAY, recorded=())

    assert "cannot_say" == judge(whole).kind
    assert "not_seen" == judge(msgspec.structs.replace(whole, complete=((START - HOUR, END),))).kind
    assert "cannot_say" == judge(msgspec.structs.replace(whole, complete=((START, END - 1),))).kind


def test_a_range_before_anything_was_recorded_forbids_not_seen() -> None:
    judgement = judge(evidence(window=window(at("05:00"), at("08:00"))))
    cause = the_cause(judgement)

    assert ("before recording", at("05:00"), SINCE) == (cause.kind, cause.start, cause.end)
    assert "Cannot say: nothing was recorded before 06:00:04.310." == judgement.sentence


def test_an_empty_installation_cannot_say() -> None:
    judgement = judge(evidence(recorded_since=None, recorded=()))

    assert "before recording" == the_cause(judgement).kind
    assert "Cannot say: nothing has been recorded yet." == judgement.sentence


def test_a_range_that_reaches_behind_retention_forbids_not_seen() -> None:
    edge = START + MINUTE
    cause = the_cause(judge(evidence(retention_edge=edge)))

    assert ("retention", START, edge, "/senders") == (cause.kind, cause.start, cause.end, cause.link)


def test_an_open_start_meets_both_ends_of_what_is_held() -> None:
    judgement = judge(evidence(window=window(None, None)))

    assert ["before recording", "retention"] == [cause.kind for cause in judgement.causes]
    assert [None, None] == [cause.start for cause in judgement.causes]
    assert "Cannot say: nothing was recorded before 06:00:04.310, and 1 more reason." == judgement.sentence


@pytest.mark.parametrize("kind", ["refused", "quarantined"])
def test_items_refused_or_quarantined_in_the_range_forbid_not_seen(kind: str) -> None:
    missed = Missed(start=at("17:00"), end=at("17:01"), items=3, reason="bad trace id")
    judgement = judge(evidence(**{kind: (missed,)}))
    cause = the_cause(judgement)
    links = {"refused": "/senders#refused", "quarantined": "/senders/quarantine"}

    assert (kind, at("17:00"), at("17:01"), 3, links[kind]) == (
        cause.kind,
        cause.start,
        cause.end,
        cause.items,
        cause.link,
    )
    assert f"Cannot say: 3 items were {kind} (bad trace id)." == judgement.sentence


@pytest.mark.parametrize("kind", ["refused", "quarantined"])
def test_items_missed_before_the_range_or_long_after_it_do_not_count(kind: str) -> None:
    for start, end, items, expected in (
        (SINCE, START - 1, 1, "not_seen"),
        (SINCE, START, 1, "cannot_say"),
        (END + HOUR - 1, NOW, 1, "cannot_say"),
        (END + HOUR, NOW, 1, "not_seen"),
        (START, END, 0, "not_seen"),
    ):
        missed = Missed(start=start, end=end, items=items, reason="")

        assert expected == judge(evidence(**{kind: (missed,)})).kind


def test_partly_indexed_facts_forbid_not_seen() -> None:
    judgement = judge(evidence(partly_indexed=2))

    assert "partly indexed" == the_cause(judgement).kind
    assert "Cannot say: 2 facts of the range are only partly indexed." == judgement.sentence


def test_a_redaction_that_drops_what_is_asked_for_forbids_not_seen() -> None:
    judgement = judge(evidence(redacted=("user.email",)))

    assert "/settings/redaction" == the_cause(judgement).link
    assert "Cannot say: a redaction rule takes user.email out before it is stored." == judgement.sentence


def test_what_rules_take_out_is_assumed_not_to_be_what_was_asked_for() -> None:
    judgement = judge(evidence(unlooked=("user.email", "card")))

    assert "not_seen" == judgement.kind
    assert (
        "It did not stand in user.email, card, which redaction rules take out." == judgement.assumptions[-1]
    )


def test_a_read_that_was_not_whole_forbids_not_seen() -> None:
    judgement = judge(evidence(failed=("Elasticsearch: 1 of 5 shards did not answer.",)))

    assert "failed read" == the_cause(judgement).kind
    assert "Cannot say: Elasticsearch: 1 of 5 shards did not answer." == judgement.sentence


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("wallet",), "wallet sends only a sample"),
        (("a", "b", "c"), "a, b, c send only a sample"),
        (("a", "b", "c", "d", "e"), "a, b, c and 2 more send only a sample"),
    ],
)
def test_senders_that_sample_forbid_not_seen(names: tuple[str, ...], said: str) -> None:
    judgement = judge(evidence(sampled=names))

    assert "sampled" == the_cause(judgement).kind
    assert f"Cannot say: {said}." == judgement.sentence


def test_several_causes_are_counted_behind_the_first() -> None:
    judgement = judge(evidence(failed=("Shard 2 did not answer.",), sampled=("wallet",), partly_indexed=1))

    assert ["failed read", "partly indexed", "sampled"] == [cause.kind for cause in judgement.causes]
    assert "Cannot say: Shard 2 did not answer, and 2 more reasons." == judgement.sentence


def test_a_thousand_obstacles_of_one_kind_stay_a_short_list() -> None:
    groups = tuple(Missed(start=START + i, end=START + i, items=1, reason="x") for i in range(1000))
    causes = judge(evidence(refused=groups)).causes

    assert MAX_NAMED + 1 == len(causes)
    assert 1000 == sum(cause.items for cause in causes)
    assert "980 more groups of refused items." == causes[-1].sentence
    assert (START + MAX_NAMED, START + 999) == (causes[-1].start, causes[-1].end)


def test_many_outages_stay_a_short_list() -> None:
    recorded = tuple((START + i * MINUTE, START + i * MINUTE + SECOND) for i in range(60))
    causes = judge(evidence(recorded=((SINCE, START), *recorded, (END, NOW)))).causes

    assert {"outage"} == {cause.kind for cause in causes}
    assert MAX_NAMED + 1 == len(causes)
    assert END == causes[-1].end


def test_every_cause_converts_into_the_cause_of_an_answer() -> None:
    causes = obstacles(
        evidence(
            window=window(None, None),
            pending_requests=1,
            failed=("x.",),
            sampled=("s",),
            partly_indexed=1,
            redacted=("k",),
            refused=(Missed(start=START, end=END, items=1, reason=""),),
            quarantined=(Missed(start=START, end=END, items=1, reason=""),),
            recorded=((SINCE, START), (END, NOW)),
        )
    )
    converted = [msgspec.convert(msgspec.structs.asdict(cause), Cause) for cause in causes]

    assert 9 == len({cause.kind for cause in converted})
    assert all(
        cause.sentence.endswith(".") and cause.remedy.endswith(".") and cause.link for cause in converted
    )
