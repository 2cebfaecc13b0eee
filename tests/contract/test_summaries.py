"""A store keeps one summary per entity, the latest read, and answers cohorts from them."""

import random

import pytest

from tests import builders as b
from tests.contract.conftest import Opened
from tests.contract.summaries import Summaries, asking, step, summary
from timeline.errors import BadQuery
from timeline.search.query import All, Query
from timeline.store.port import StepSeen, Store, Summary


@pytest.fixture
def both(store: Store) -> Summaries:
    """An empty store beside an empty dictionary."""
    return Summaries(store)


def test_a_summary_comes_back_as_it_was_put(both: Summaries) -> None:
    whole = Summary(
        workspace="main",
        entity="bet:8812/ä:ö 'x\" \U0001f3c7",
        steps=(
            StepSeen(name="BetPlaced", first=b.NOW, last=b.NOW + 1, count=2),
            StepSeen(name="BetAccepted", first=b.NOW + 3, last=b.NOW + 3, count=1, expired=True),
        ),
        current="BetPlaced",
        quiet_since=b.NOW + 7,
        first=b.NOW,
        last=b.NOW + 9,
        services=("bets", "wallet"),
        environments=("production", "staging"),
        facts=7,
        failed=2,
        findings=("duplicate",),
        cut=4,
        read=b.NOW + 2**53 % 1_000_003,
    )
    both.put(whole, summary("bet:2"))
    assert [whole, None, whole] == both.known([whole.entity, "bet:3", whole.entity])


def test_a_newer_read_wins_in_any_order_and_an_equal_one_replaces(both: Summaries) -> None:
    both.put(summary("bet:1", "Placed", read=b.NOW + 2))
    both.put(summary("bet:1", "Older", read=b.NOW + 1))
    assert ["Placed"] == [seen.name for held in both.known(["bet:1"]) if held for seen in held.steps]
    both.put(summary("bet:1", "Same", read=b.NOW + 2))
    assert ["Same"] == [seen.name for held in both.known(["bet:1"]) if held for seen in held.steps]
    both.put(summary("bet:1", "Newer", read=b.NOW + 3))
    assert ["bet:1"] == both.agree(reached=("Newer",))
    assert [] == both.agree(reached=("Same",))


def test_within_one_batch_the_latest_read_wins_too(both: Summaries) -> None:
    both.put(
        summary("bet:1", "Second", read=b.NOW + 2),
        summary("bet:1", "First", read=b.NOW + 1),
        summary("bet:2", "One"),
        summary("bet:2", "Two"),
    )
    assert ["bet:1"] == both.agree(reached=("Second",))
    assert ["bet:2"] == both.agree(reached=("Two",))
    assert 2 == len(both.agree())


def test_putting_twice_is_putting_once_and_nothing_is_harmless(both: Summaries) -> None:
    both.put()
    assert [] == both.agree()
    batch = [summary(f"bet:{n}", "Placed") for n in range(5)]
    both.put(*batch)
    both.put(*reversed(batch))
    assert 5 == len(both.agree())


def test_a_cohort_has_every_step_reached_and_none_that_is_missing(both: Summaries) -> None:
    both.put(
        summary("bet:1", "A"),
        summary("bet:2", "A", "B"),
        summary("bet:3", "A", "B", "C"),
        summary("bet:4", "C"),
        summary("bet:5"),
    )
    assert ["bet:1"] == both.agree(reached=("A",), missing=("B",))
    assert ["bet:2"] == both.agree(reached=("A", "B"), missing=("C",))
    assert ["bet:4", "bet:5"] == both.agree(missing=("A", "B"))
    assert ["bet:3"] == both.agree(reached=("C", "A"))
    assert [] == both.agree(reached=("A",), missing=("A",))
    assert [] == both.agree(reached=("D",))
    assert 5 == len(both.agree())


def test_an_expired_step_counts_as_reached(both: Summaries) -> None:
    both.put(summary("bet:1", steps=(step("A", expired=True), step("B"))))
    assert ["bet:1"] == both.agree(reached=("A",))
    assert [] == both.agree(missing=("A",))


def test_quiet_is_counted_from_the_moment_asked_and_includes_the_edge(both: Summaries) -> None:
    both.put(*(summary(f"bet:{n}", quiet=b.NOW + n) for n in range(4)))
    assert ["bet:0", "bet:1"] == both.agree(as_of=b.NOW + 1 + b.MINUTE, quiet_for=b.MINUTE)
    assert ["bet:0", "bet:1", "bet:2"] == both.agree(as_of=b.NOW + 2, quiet_for=0)
    assert [] == both.agree(as_of=b.NOW, quiet_for=b.DAY)
    assert 4 == len(both.agree(as_of=0))


def test_types_and_workspaces_stay_apart(both: Summaries) -> None:
    both.put(
        summary("bet:1", "A"),
        summary("better:1", "A"),
        summary("be:t:1", "A"),
        summary("bet:1", "A", "B", workspace="other"),
        summary("bet:2", "A", workspace="other"),
    )
    assert ["bet:1"] == both.agree(reached=("A",))
    assert ["be:t:1"] == both.agree(kind="be")
    assert ["bet:1"] == both.agree(reached=("A",), missing=("B",))
    assert ["bet:1", "bet:2"] == both.agree(workspace="other")
    assert [None] == both.known(["bet:2"])
    assert [None] == both.known(["better:1"], workspace="other")


def test_an_environment_is_one_of_those_of_the_entity(both: Summaries) -> None:
    both.put(
        summary("bet:1", environments=("production",)),
        summary("bet:2", environments=("staging", "production")),
        summary("bet:3"),
    )
    assert ["bet:1", "bet:2"] == both.agree(environment="production")
    assert ["bet:2"] == both.agree(environment="staging")
    assert [] == both.agree(environment="prod")


@pytest.mark.parametrize(
    "name",
    [
        "process bets.placed",
        "POST /bets/{id}",
        "a b",
        "A OR B",
        "*",
        "",
        "naïve \U0001f3c7",
        "nul\0in it",
        "line\nbreak",
        '"quoted\\"',
        "x" * 300,
    ],
)
def test_a_step_is_compared_exactly_whatever_its_name(both: Summaries, name: str) -> None:
    both.put(summary("bet:1", name), summary("bet:2", name + "y"), summary("bet:3", "other"))
    assert ["bet:1"] == both.agree(reached=(name,))
    assert ["bet:2", "bet:3"] == both.agree(missing=(name,))


def test_order_is_longest_quiet_first_then_by_entity(both: Summaries) -> None:
    same = [
        "bet:" + name
        for name in ("b", "a", "ab", "é", "Z", "a" * 40 + "2", "a" * 40 + "1", "\U0001f3c7", "￿")
    ]
    both.put(
        *(summary(name) for name in same),
        summary("bet:late", quiet=b.NOW + 1),
        summary("bet:early", quiet=b.NOW - 1),
        summary("bet:before 1970", quiet=-5),
    )
    expected = ["bet:before 1970", "bet:early", *sorted(same), "bet:late"]
    for limit in (1, 2, 5, 100):
        assert expected == both.agree(limit=limit)


def test_pages_of_a_large_cohort_skip_and_repeat_nothing(both: Summaries) -> None:
    random_ = random.Random(5)
    for start in range(0, 600, 200):
        both.put(
            *(
                summary(
                    f"bet:{n:05d}",
                    *random_.sample(("A", "B", "C"), random_.randrange(1, 4)),
                    quiet=b.NOW + random_.randrange(40),
                )
                for n in range(start, start + 200)
            )
        )
    query = {"reached": ("A",), "missing": ("C",), "quiet_for": b.HOUR, "as_of": b.NOW + 30 + b.HOUR}
    found = both.agree(limit=37, **query)
    assert 0 < len(found) < 600


def test_a_cursor_goes_on_with_another_limit_and_later(both: Summaries) -> None:
    both.put(*(summary(f"bet:{n}", quiet=b.NOW + n) for n in range(6)))
    first = both.store.cohort(asking(quiet_for=b.MINUTE, as_of=b.NOW + 3 + b.MINUTE, limit=2))
    assert (["bet:0", "bet:1"], 4) == ([one.entity for one in first.summaries], first.total)
    later = asking(quiet_for=b.MINUTE, as_of=b.NOW + 9 + b.MINUTE, limit=9, cursor=first.next)
    page = both.store.cohort(later)
    assert (["bet:2", "bet:3", "bet:4", "bet:5"], 6, None) == (
        [one.entity for one in page.summaries],
        page.total,
        page.next,
    )


@pytest.mark.parametrize(
    "other",
    [
        {"reached": ("B",)},
        {"missing": ("A",)},
        {"kind": "order"},
        {"workspace": "other"},
        {"quiet_for": 1},
        {"environment": "production"},
    ],
)
def test_a_cursor_of_another_question_is_refused(both: Summaries, other: dict[str, object]) -> None:
    both.put(*(summary(f"bet:{n}", "A", environments=("production",)) for n in range(3)))
    cursor = both.store.cohort(asking(reached=("A",), limit=1)).next
    assert cursor is not None
    with pytest.raises(BadQuery):
        both.store.cohort(asking(**({"reached": ("A",)} | other), limit=1, cursor=cursor))  # type: ignore[arg-type]


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 1_001}, {"cursor": "nonsense"}, {"cursor": "ü"}])
def test_what_cannot_be_answered_is_refused(store: Store, query: dict[str, object]) -> None:
    with pytest.raises(BadQuery):
        store.cohort(asking(**query))  # type: ignore[arg-type]


def test_a_summary_expires_with_its_last_fact(both: Summaries) -> None:
    fact = b.stored(b.span(entities=b.entities("bet:1")))
    both.store.write([fact], visible=True)
    both.put(
        summary("bet:1", quiet=b.NOW - 9, last=b.NOW - 1),
        summary("bet:2", quiet=b.NOW - 9, last=b.NOW),
        summary("bet:1", last=b.NOW - 1, workspace="other"),
    )
    both.expire(b.NOW)
    assert ["bet:2"] == both.agree()
    assert ["bet:1"] == both.agree(workspace="other")
    assert 1 == both.store.count(Query(where=All())).value
    both.put(summary("bet:1"))
    assert ["bet:1", "bet:2"] == sorted(both.agree())


def test_an_expiry_counts_facts_alone(store: Store) -> None:
    store.write(list(b.facts(3)), visible=True)
    store.put_summaries([summary(f"bet:{n}") for n in range(5)], visible=True)
    assert 3 == store.expire(b.NOW + b.HOUR)
    assert 0 == store.cohort(asking()).total


def test_facts_know_nothing_of_summaries(store: Store) -> None:
    store.put_summaries([summary("bet:1", "A")], visible=True)
    assert 0 == store.size()["facts"]
    assert 0 == store.count(Query(where=All())).value
    assert () == store.search(Query(where=All())).rows


def test_summaries_are_there_after_a_restart(opened: Opened) -> None:
    kept = summary("bet:1", "A")
    opened.store.put_summaries([kept])
    store = opened.reopen()
    assert [kept] == store.summaries(["bet:1"])
    assert (kept,) == store.cohort(asking()).summaries


def test_a_store_without_summaries_answers_that_there_are_none(store: Store) -> None:
    assert [None] == store.summaries(["bet:1"])
    assert [] == store.summaries([])
    answer = store.cohort(asking(reached=("A",)))
    assert ((), 0, None) == (answer.summaries, answer.total, answer.next)
