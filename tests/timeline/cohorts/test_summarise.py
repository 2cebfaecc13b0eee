"""Summaries follow the facts: what was touched is read again, whatever fails in between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import builders as b
from timeline.cohorts import summarise as module
from timeline.cohorts.summarise import Summariser
from timeline.domain import EventInfo, Stored
from timeline.errors import StoreUnavailable
from timeline.inbox.inbox import Inbox
from timeline.store.port import CohortQuery, Summary
from timeline.store.tantivy import TantivyStore

LATER = b.NOW + b.DAY


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox.sqlite3")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TantivyStore]:
    with TantivyStore(tmp_path / "index", writable=True) as opened:
        opened.prepare()
        yield opened


@pytest.fixture
def summariser(inbox: Inbox, store: TantivyStore) -> Summariser:
    return Summariser(inbox, store)


def _fact(kind: str, *names: str, number: int = 1, **fields: Any) -> Stored:
    workspace = fields.pop("workspace", "main")
    defaults: dict[str, Any] = {
        "at": b.NOW + number,
        "event": EventInfo(source="/bets", id=f"{kind}-{number}", type=kind),
        "entities": b.entities(*names),
    }
    return b.stored(b.event(number, **(defaults | fields)), workspace=workspace, received=b.NOW + b.MINUTE)


def _send(inbox: Inbox, store: TantivyStore, *facts: Stored) -> None:
    store.write(facts)
    inbox.touch(
        (stored.receipt.workspace, str(entity)) for stored in facts for entity in stored.fact.entities
    )


def _held(store: TantivyStore, entity: str = "bet:1", workspace: str = "main") -> Summary:
    (found,) = store.summaries([entity], workspace=workspace)
    assert found is not None
    return found


def _steps(summary: Summary) -> list[tuple[str, int]]:
    return [(step.name, step.count) for step in summary.steps]


def test_what_was_touched_is_summarised_and_its_note_dropped(
    inbox: Inbox, store: TantivyStore, summariser: Summariser
) -> None:
    _send(inbox, store, _fact("Placed", "bet:1", "bet:2"), _fact("Accepted", "bet:2", number=2))
    before = time.time_ns()
    assert 2 == summariser.run()
    assert [("Placed", 1)] == _steps(_held(store))
    assert [("Placed", 1), ("Accepted", 1)] == _steps(_held(store, "bet:2"))
    assert before <= _held(store).read <= time.time_ns()
    assert 0 == inbox.behind().touches
    assert 0 == summariser.run()


def test_later_facts_make_the_summary_anew(inbox: Inbox, store: TantivyStore, summariser: Summariser) -> None:
    _send(inbox, store, _fact("Placed", "bet:1"))
    summariser.run()
    _send(inbox, store, _fact("Settled", "bet:1", number=2))
    summariser.run()
    assert [("Placed", 1), ("Settled", 1)] == _steps(_held(store))
    stuck = CohortQuery(type="bet", reached=("Placed",), missing=("Settled",), as_of=LATER)
    assert 0 == store.cohort(stuck).total


def test_only_subjects_count_and_workspaces_stay_apart(
    inbox: Inbox, store: TantivyStore, summariser: Summariser
) -> None:
    _send(
        inbox,
        store,
        _fact("Placed", "bet:1"),
        _fact("Kicked", "match:1", context=b.entities("bet:1"), number=2),
        _fact("Else", "bet:1", number=3, workspace="other"),
    )
    assert 3 == summariser.run()
    assert [("Placed", 1)] == _steps(_held(store))
    assert [("Else", 1)] == _steps(_held(store, workspace="other"))


def test_what_came_after_the_start_waits_for_the_next_run(inbox: Inbox, store: TantivyStore) -> None:
    _send(inbox, store, _fact("Placed", "bet:1"))
    early = inbox.behind().oldest
    assert early is not None
    assert 0 == Summariser(inbox, store, now=lambda: early).run()
    assert 1 == inbox.behind().touches


def test_what_a_search_may_not_see_yet_waits(
    inbox: Inbox, store: TantivyStore, summariser: Summariser
) -> None:
    _send(inbox, store, _fact("Placed", "bet:1"))
    store.visibility_lag = b.DAY
    assert 0 == summariser.run()
    store.visibility_lag = 0
    assert 1 == summariser.run()


def test_a_run_that_is_to_end_leaves_the_rest_noted(
    inbox: Inbox, store: TantivyStore, summariser: Summariser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PUT", 2)
    _send(inbox, store, _fact("Placed", *(f"bet:{n}" for n in range(5))))
    answers = iter([True, True, False, False])
    assert 2 == summariser.run(lambda: next(answers))
    assert 3 == inbox.behind().touches
    assert 3 == summariser.run()
    assert 5 == store.cohort(CohortQuery(type="bet", as_of=LATER)).total
    assert 0 == inbox.behind().touches


def test_a_failure_keeps_the_notes_and_the_next_run_repeats_it(
    inbox: Inbox, store: TantivyStore, summariser: Summariser, tmp_path: Path
) -> None:
    _send(inbox, store, _fact("Placed", "bet:1"))
    reader = TantivyStore(tmp_path / "index", writable=False)
    with pytest.raises(StoreUnavailable):
        Summariser(inbox, reader).run()
    reader.close()
    assert 1 == inbox.behind().touches
    assert 1 == summariser.run()


def test_an_entity_without_facts_gets_no_summary(
    inbox: Inbox, store: TantivyStore, summariser: Summariser
) -> None:
    inbox.touch([("main", "bet:1")])
    assert 0 == summariser.run()
    assert [None] == store.summaries(["bet:1"])
    assert 0 == inbox.behind().touches


def test_steps_of_expired_facts_stay_marked_until_the_last_fact_goes(
    inbox: Inbox, store: TantivyStore, summariser: Summariser
) -> None:
    _send(inbox, store, _fact("Placed", "bet:1"), _fact("Accepted", "bet:1", number=9))
    summariser.run()
    assert 1 == store.expire(b.NOW + 5)
    _send(inbox, store, _fact("Paid", "bet:1", number=11))
    summariser.run()
    assert [("Placed", True), ("Accepted", False), ("Paid", False)] == [
        (step.name, step.expired) for step in _held(store).steps
    ]
    store.expire(b.NOW + 12)
    assert [None] == store.summaries(["bet:1"])


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty facts are very many."""
    monkeypatch.setattr(module, "MAX_FACTS", 20)
    monkeypatch.setattr(module, "PAGE", 7)
    monkeypatch.setattr(module, "NEWEST", 5)


@pytest.mark.usefixtures("few")
def test_a_large_entity_is_counted_by_the_store_and_says_so(
    inbox: Inbox, store: TantivyStore, summariser: Summariser
) -> None:
    facts = [_fact("Odd" if n % 2 else "Even", "bet:1", number=n, service=f"s{n % 3}") for n in range(40)]
    failed = b.stored(
        b.span(name="POST /bets", start=b.NOW + 40, status="error", entities=b.entities("bet:1")),
        received=b.NOW + b.MINUTE,
    )
    _send(inbox, store, *facts, failed, _fact("Placed", "bet:2", number=50))
    assert 2 == summariser.run()
    held = _held(store)
    assert [("Even", 20), ("Odd", 20), ("POST /bets", 1)] == _steps(held)
    assert (b.NOW, b.NOW + 40, b.NOW + 40) == (held.first, held.last, held.quiet_since)
    assert (41, 36, 1, "POST /bets") == (held.facts, held.cut, held.failed, held.current)
    assert ("orders", "s0", "s1", "s2") == held.services
    assert [("Placed", 1)] == _steps(_held(store, "bet:2"))
    assert 0 == _held(store, "bet:2").cut


@pytest.mark.usefixtures("few")
def test_a_large_entity_keeps_the_steps_that_only_older_facts_tell(
    inbox: Inbox, store: TantivyStore, summariser: Summariser
) -> None:
    spans = [
        b.stored(
            b.span(number=n, name="old" if n < 10 else "new", start=b.NOW + n, entities=b.entities("bet:1")),
            received=b.NOW + b.MINUTE,
        )
        for n in range(50)
    ]
    _send(inbox, store, *spans[:15])
    summariser.run()
    assert [("old", 10), ("new", 5)] == _steps(_held(store))
    _send(inbox, store, *spans[15:])
    summariser.run()
    assert [("old", 10), ("new", 5)] == _steps(_held(store))  # five of the newest were read
    assert (50, 45) == (_held(store).facts, _held(store).cut)
    store.expire(b.NOW + 12)
    _send(inbox, store, _fact("Paid", "bet:1", number=60))
    summariser.run()
    assert [("old", True), ("new", False), ("Paid", False)] == [
        (step.name, step.expired) for step in _held(store).steps
    ]


def test_many_entities_of_uneven_size_are_all_summarised(
    inbox: Inbox, store: TantivyStore, summariser: Summariser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FACTS", 30)
    monkeypatch.setattr(module, "PAGE", 10)
    facts = [_fact("Placed", f"bet:{n % 7 if n < 150 else n}", number=n) for n in range(300)]
    _send(inbox, store, *facts)
    assert 157 == summariser.run()
    assert 300 == sum(
        one.facts for one in store.cohort(CohortQuery(type="bet", as_of=LATER, limit=500)).summaries
    )
