"""A summary says which steps an entity reached and since when it is quiet, whatever the order of arrival."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from tests import builders as b
from timeline.cohorts.summary import MAX_NAMES, MAX_STEPS, summarise
from timeline.domain import EventInfo, Fact, Row
from timeline.store.port import StepSeen, Summary

READ = b.NOW + b.DAY


def _row(kind: str, at: int | None, *, number: int = 1, received: int | None = None, **fields: Any) -> Row:
    fact: Fact = b.event(number, at=at, event=EventInfo(source="/s", id=f"{number}", type=kind), **fields)
    stored = b.stored(fact, received=received or (at or b.NOW) + b.SECOND, tie=number)
    return Row.of(stored)


def _summary(*rows: Row, before: Summary | None = None) -> Summary:
    made = summarise("main", "bet:1", rows, read=READ, before=before)
    assert made is not None
    return made


def test_steps_have_first_last_and_count_in_the_order_of_their_first_fact() -> None:
    made = _summary(
        _row("Accepted", b.NOW + 5, number=3),
        _row("Placed", b.NOW, number=1),
        _row("Placed", b.NOW + 9, number=2),
    )
    assert (
        StepSeen(name="Placed", first=b.NOW, last=b.NOW + 9, count=2),
        StepSeen(name="Accepted", first=b.NOW + 5, last=b.NOW + 5, count=1),
    ) == made.steps
    assert ("Placed", 3, 0) == (made.current, made.facts, made.failed)
    assert (b.NOW, b.NOW + 9, b.NOW + 9) == (made.first, made.last, made.quiet_since)
    assert ("main", "bet:1", READ) == (made.workspace, made.entity, made.read)


def test_any_order_of_facts_gives_the_same_summary() -> None:
    rows = [_row(kind, b.NOW + n // 3, number=n) for n, kind in enumerate("ABCABDABE")]
    expected = _summary(*rows)
    shuffled = random.Random(3)
    for _ in range(20):
        shuffled.shuffle(rows)
        assert expected == _summary(*rows)
    assert "E" == expected.current


def test_without_facts_there_is_no_summary() -> None:
    assert None is summarise("main", "bet:1", [], read=READ)


def test_a_variant_counts_for_nothing() -> None:
    variant = msgspec.structs.replace(_row("Lost", b.NOW + 50, number=2), variant=True)
    assert _summary(_row("Placed", b.NOW)) == _summary(_row("Placed", b.NOW), variant)
    assert None is summarise("main", "bet:1", [variant], read=READ)


def test_a_clock_that_runs_ahead_hides_no_quiet() -> None:
    made = _summary(_row("Placed", b.NOW), _row("Paid", b.NOW + b.DAY, number=2, received=b.NOW + b.MINUTE))
    assert b.NOW + b.MINUTE == made.quiet_since
    assert b.NOW + b.DAY == made.last


def test_a_fact_without_a_usable_time_counts_from_when_it_was_received() -> None:
    made = _summary(_row("Placed", None, received=b.NOW + 3))
    assert (b.NOW + 3, b.NOW + 3) == (made.quiet_since, made.first)


def test_failures_services_and_environments_are_told() -> None:
    spans = [
        b.span(number=n, service=service, status=status, environment=environment)
        for n, (service, status, environment) in enumerate(
            [("wallet", "error", "staging"), ("bets", "ok", "production"), ("bets", "unset", "")]
        )
    ]
    made = _summary(*(Row.of(b.stored(span)) for span in spans))
    assert (1, ("bets", "wallet"), ("production", "staging")) == (
        made.failed,
        made.services,
        made.environments,
    )


def test_a_log_record_ends_the_quiet_without_being_a_step() -> None:
    log = Row.of(b.stored(b.event(2, kind="log", event=None, at=b.NOW + 9), received=b.NOW + 10))
    made = _summary(_row("Placed", b.NOW), log)
    assert (["Placed"], "Placed", b.NOW + 9, 2) == (
        [step.name for step in made.steps],
        made.current,
        made.quiet_since,
        made.facts,
    )


def test_a_step_of_facts_that_are_gone_stays_and_is_marked() -> None:
    before = _summary(_row("Placed", b.NOW), _row("Accepted", b.NOW + 5, number=2))
    made = _summary(
        _row("Accepted", b.NOW + 5, number=2), _row("Settled", b.NOW + 9, number=3), before=before
    )
    assert [("Placed", True), ("Accepted", False), ("Settled", False)] == [
        (step.name, step.expired) for step in made.steps
    ]
    again = _summary(_row("Settled", b.NOW + 9, number=3), before=made)
    assert [("Placed", True), ("Accepted", True), ("Settled", False)] == [
        (step.name, step.expired) for step in again.steps
    ]


def test_a_step_that_came_back_is_expired_no_more_and_a_wrong_one_goes() -> None:
    before = _summary(_row("Placed", b.NOW), _row("Wrong", b.NOW + 9, number=2))
    made = _summary(_row("Accepted", b.NOW + 5, number=3), before=before)
    assert [("Placed", True), ("Accepted", False)] == [(step.name, step.expired) for step in made.steps]
    back = _summary(_row("Placed", b.NOW), _row("Accepted", b.NOW + 5, number=3), before=made)
    assert [False, False] == [step.expired for step in back.steps]


def test_a_summary_stays_small_and_keeps_what_is_frequent() -> None:
    rows = [
        _row(f"Step{n}", b.NOW + n, number=n, service=f"s{n}", environment=f"e{n}")
        for n in range(2 * MAX_STEPS)
    ]
    last = rows[-1]
    made = _summary(*rows, *(msgspec.structs.replace(last, id=f"{n}") for n in range(3)))
    assert MAX_STEPS == len(made.steps)
    assert MAX_NAMES == len(made.services) == len(made.environments)
    assert f"Step{2 * MAX_STEPS - 1}" == made.steps[-1].name
