"""Judgements: each rule says what it saw, with its proof, and keeps quiet otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import SECOND, ref
from tests.timeline.rebuild.cast import cloud, link, ms, posted, rebuilt, sent, spanned, taken
from timeline.domain import EventInfo, Finding, Stored, Timeline

M1: dict[str, Any] = {"id": "m1", "partition": "3", "offset": 51}


def of(found: Timeline, rule: str) -> list[Finding]:
    return [finding for finding in found.findings if finding.rule == rule]


def credited(number: int, at: float, span: int) -> Stored:
    info = EventInfo(source="/wallet", id=f"credit-{number}", type="BalanceCredited")
    return posted(number, at, ref=ref(1, span), service="wallet", event=info)


def handled(*, first: str = "ok", second: str = "ok") -> list[Stored]:
    return [
        sent(1, 1, 0, 1, to=M1, event=cloud()),
        taken(1, 2, 5, 9, parent=1, of=M1, status=first),
        taken(1, 3, 2000, 2009, parent=1, of=M1, status=second),
    ]


def test_doing_the_same_twice_is_a_duplicate_with_consequence() -> None:
    found = of(rebuilt(*handled(), credited(1, 6, 2), credited(2, 2006, 3)), "duplicate")
    assert [
        "wallet handled BetPlaced of bets/3/51 twice, with consequence: BalanceCredited again, 2.000 s apart."
    ] == [finding.sentence for finding in found]
    assert [("error", "certain", 4, ms(2006))] == [
        (f.severity, f.confidence, len(f.evidence), f.at) for f in found
    ]


def test_a_failed_handling_that_had_done_its_work_counts() -> None:
    found = of(rebuilt(*handled(first="error"), credited(1, 8, 2), credited(2, 2006, 3)), "duplicate")
    assert ["error"] == [finding.severity for finding in found]


def test_handling_again_and_doing_nothing_is_without_consequence() -> None:
    found = of(rebuilt(*handled(), credited(1, 6, 2)), "duplicate")
    assert [("info", True)] == [(f.severity, "without consequence" in f.sentence) for f in found]


def test_a_retry_after_a_failure_that_did_nothing_is_no_duplicate() -> None:
    assert [] == of(rebuilt(*handled(first="error"), credited(2, 2006, 3)), "duplicate")


def test_something_new_after_a_success_is_a_consequence_too() -> None:
    found = of(rebuilt(*handled(), credited(2, 2006, 3)), "duplicate")
    assert [("error", True)] == [(f.severity, "only the second time" in f.sentence) for f in found]


def test_a_writing_call_repeated_is_a_likely_consequence() -> None:
    def update(number: int, at: int, parent: int) -> Stored:
        return spanned(
            1, number, at, at + 1, parent=parent, kind="client", service="wallet", name="UPDATE balances",
            attributes={"db.operation.name": "UPDATE"},
        )  # fmt: skip

    found = of(rebuilt(*handled(), update(7, 6, 2), update(8, 2006, 3)), "duplicate")
    assert [("warning", "likely", True)] == [
        (f.severity, f.confidence, "UPDATE balances again" in f.sentence) for f in found
    ]


def test_reading_again_is_no_consequence() -> None:
    def select(number: int, at: int, parent: int) -> Stored:
        return spanned(
            1, number, at, at + 1, parent=parent, kind="client", service="wallet", name="SELECT",
            attributes={"db.operation.name": "SELECT"},
        )  # fmt: skip

    found = of(rebuilt(*handled(), select(7, 6, 2), select(8, 2006, 3)), "duplicate")
    assert ["info"] == [finding.severity for finding in found]


def test_two_groups_with_one_message_are_no_duplicate() -> None:
    facts = [sent(1, 1, 0, 1), taken(1, 2, 5, 6, parent=1), taken(1, 3, 5, 6, parent=1, service="audit")]
    assert [] == of(rebuilt(*facts), "duplicate")


def test_one_event_sent_twice_and_handled_twice_is_a_duplicate() -> None:
    facts = [
        sent(1, 1, 0, 1, event=cloud(), to={"offset": 1, "partition": "0"}),
        sent(1, 2, 9, 10, event=cloud(), to={"offset": 2, "partition": "0"}),
        taken(1, 3, 15, 16, parent=1, event=cloud()),
        taken(1, 4, 25, 26, parent=2, event=cloud()),
    ]
    assert ["info"] == [finding.severity for finding in of(rebuilt(*facts), "duplicate")]


def test_the_effects_of_the_messages_of_a_batch_are_kept_apart() -> None:
    sends = [sent(1, n, 0, 1, event=cloud(n), to={"id": f"m{n}"}) for n in (1, 2)]
    links = tuple(link(1, n, messaging__message__id=f"m{n}") for n in (1, 2))
    batches = [taken(1, n, at, at + 9, links=links, of={"batch_count": 2}) for n, at in ((5, 10), (6, 30))]

    def effect(number: int, at: int, span: int, cause: str) -> Stored:
        info = EventInfo(source="/w", id=f"c{number}", type=f"Done {cause}", causation_id=cause)
        return posted(number, at, ref=ref(1, span), service="wallet", event=info)

    effects = [effect(1, 11, 5, "event-1"), effect(2, 12, 5, "event-2"), effect(3, 31, 6, "event-1")]
    found = of(rebuilt(*sends, *batches, *effects), "duplicate")
    assert [("error", True), ("info", False)] == [
        (finding.severity, "event-1 again" in finding.sentence) for finding in found
    ]


def waits(*lengths: float) -> list[Stored]:
    facts: list[Stored] = []
    for place, length in enumerate(lengths):
        facts.append(sent(1, 100 + place, place, place + 0.5))
        facts.append(taken(1, 200 + place, place + 0.5 + length, place + 1 + length, parent=100 + place))
    return facts


def test_a_wait_far_beyond_the_usual_of_its_hop_is_slow() -> None:
    found = of(rebuilt(*waits(14, 13, 15, 90_012, 14)), "slow hop")
    assert [("A message of bets waited 90.012 s for wallet; usual here is 14 ms.", "likely", 2)] == [
        (f.sentence, f.confidence, len(f.evidence)) for f in found
    ]


@pytest.mark.parametrize("lengths", [(14, 13, 15, 120, 14), (900, 950, 999, 5000, 900), (20_000,)])
def test_waits_that_are_short_or_usual_are_not_slow(lengths: tuple[float, ...]) -> None:
    assert [] == of(rebuilt(*waits(*lengths)), "slow hop")


def test_alone_only_a_very_long_wait_is_worth_a_word() -> None:
    found = of(rebuilt(*waits(90_000)), "slow hop")
    assert [("weak", "A message of bets waited 90.000 s for wallet.")] == [
        (f.confidence, f.sentence) for f in found
    ]


def test_several_slow_messages_are_one_finding() -> None:
    found = of(rebuilt(*waits(1, 1, 1, 1, 1, 60_000, 70_000)), "slow hop")
    assert [True] == [finding.sentence.endswith("1 more as slow.") for finding in found]


def test_a_key_on_two_partitions_is_reported_with_a_fact_of_each() -> None:
    facts = [
        sent(1, n, n, n + 0.5, to={"key": "8640", "partition": p, "offset": n})
        for n, p in ((1, "4"), (2, "11"), (3, "4"))
    ]
    found = of(rebuilt(*facts), "key on two partitions")
    assert [("Key 8640 of bets is on 2 partitions (4, 11): no order holds between them.", 2)] == [
        (finding.sentence, len(finding.evidence)) for finding in found
    ]


def test_a_key_on_one_partition_of_each_of_two_topics_is_fine() -> None:
    facts = [
        sent(1, 1, 0, 1, to={"key": "k", "partition": "1"}),
        sent(1, 2, 0, 1, to={"key": "k", "partition": "2", "destination": "audit"}),
        sent(1, 3, 0, 1, to={"key": "other", "partition": "2"}),
    ]
    assert [] == of(rebuilt(*facts), "key on two partitions")


def test_what_a_group_has_not_taken_is_one_finding_with_its_age() -> None:
    facts = [sent(1, n, n, n + 1, to={"id": f"m{n}"}) for n in (0, 1)]
    found = of(
        rebuilt(*facts, groups={"bets": frozenset({"audit"})}, now=ms(1) + 25 * 60 * SECOND), "unconsumed"
    )
    assert ["audit has not taken 2 messages of bets for 25 min."] == [finding.sentence for finding in found]


def test_a_message_of_a_moment_ago_is_on_its_way() -> None:
    groups = {"bets": frozenset({"audit"})}
    assert [] == of(rebuilt(sent(1, 1, 0, 1), groups=groups, now=ms(1000)), "unconsumed")


def test_without_coverage_nobody_is_accused() -> None:
    found = rebuilt(sent(1, 1, 0, 1), groups={"bets": frozenset({"audit"})}, covered=False, now=ms(10**6))
    assert () == found.findings


def test_the_gravest_finding_comes_first() -> None:
    facts = [*handled(), credited(1, 6, 2), credited(2, 2006, 3)]
    found = rebuilt(*facts, groups={"bets": frozenset({"audit"})}, now=ms(10**6))
    assert ["error", "warning"] == [finding.severity for finding in found.findings]


def test_outside_text_cannot_break_a_sentence() -> None:
    facts = [sent(1, n, n, n + 1, to={"key": "k\n" * 999, "partition": f"{n}\n"}) for n in (1, 2)]
    sentence = of(rebuilt(*facts), "key on two partitions")[0].sentence
    assert "\n" not in sentence
    assert len(sentence) < 250


def test_what_another_service_did_with_it_is_not_this_handler_s_doing() -> None:
    below = [taken(1, 10 + n, at, at + 1, parent=n, service="audit") for n, at in ((2, 6), (3, 2006))]
    found = of(rebuilt(*handled(), *below, credited(1, 6, 12), credited(2, 2006, 13)), "duplicate")
    assert ["info"] == [finding.severity for finding in found if finding.sentence.startswith("wallet")]


def test_the_time_until_another_attempt_is_no_wait_in_the_broker() -> None:
    facts = [sent(1, 1, 0, 1, to=M1), taken(1, 2, 5, 9, parent=1, status="error")]
    assert [] == of(rebuilt(*facts, taken(1, 3, 90_000, 90_001, parent=1)), "slow hop")
