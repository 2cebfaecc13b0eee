"""``GET /api/v1/entities/{type}``: who reached A, not B, and is quiet for X."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests import builders as b
from tests.contract.summaries import step, summary
from timeline import keys, wiring
from timeline.cohorts.summary import summarise
from timeline.domain import Row
from timeline.inbox.inbox import Inbox
from timeline.models import Node, Token
from timeline.reading.desk import Desk
from timeline.search.times import parse_time
from timeline.store.tantivy import TantivyStore

pytestmark = pytest.mark.django_db


class House:
    """A store with summaries, an inbox, and the API before them."""

    def __init__(self, folder: Path) -> None:
        self.inbox = Inbox(folder / "inbox.sqlite3")
        self.store = TantivyStore(folder / "index", writable=True)
        self.store.prepare()
        self.desk = Desk(self.store, self.inbox, node="here", retention_days=14, rules=lambda _: {})
        self.token = keys.create("test", Token.Scope.READ)

    def ask(self, path: str, status: int = 200) -> Any:
        """The JSON answer to a path below ``/api/v1/entities``."""
        answer = Client().get(f"/api/v1/entities/{path}", headers={"Authorization": f"Bearer {self.token}"})
        assert status == answer.status_code, answer.content
        kind = "application/json" if status == 200 else "application/problem+json"
        assert kind == answer.headers["Content-Type"]
        return answer.json()

    def found(self, path: str) -> list[str]:
        """The entities of an answer."""
        return [one["entity"] for one in self.ask(path)["entities"]]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    made = House(tmp_path)
    monkeypatch.setattr(wiring, "reading", lambda: made.desk)
    yield made
    made.store.close()


@pytest.fixture
def bets(house: House) -> House:
    """Three bets: settled, stuck for long, stuck for a while."""
    now = time.time_ns()
    house.store.put_summaries(
        [
            summary("bet:1", "BetPlaced", "BetAccepted", "BetSettled", quiet=now - b.HOUR),
            summary("bet:2", "BetPlaced", "BetAccepted", quiet=now - 3 * b.HOUR, environments=("prod",)),
            summary("bet:a/b c", "BetPlaced", quiet=now - b.MINUTE),
        ]
    )
    return house


def test_who_reached_a_and_not_b_and_is_quiet_for_so_long(bets: House) -> None:
    assert ["bet:2", "bet:a/b c"] == bets.found("bet?reached=BetPlaced&missing=BetSettled")
    assert ["bet:2"] == bets.found("bet?reached=BetPlaced&missing=BetSettled&quiet_for=1h30m")
    assert ["bet:2", "bet:1", "bet:a/b c"] == bets.found("bet")
    assert ["bet:2"] == bets.found("bet?environment=prod")
    assert [] == bets.found("order")


def test_steps_are_named_again_and_again_or_with_commas(bets: House) -> None:
    expected = ["bet:2"]
    assert expected == bets.found("bet?reached=BetPlaced,BetAccepted&missing=BetSettled")
    assert expected == bets.found("bet?reached=BetPlaced&reached=BetAccepted&missing=BetSettled")
    assert expected == bets.found("bet?reached=%20BetPlaced%20,,BetAccepted&missing=BetSettled")


def test_a_comma_in_a_name_and_a_long_name_can_be_asked(house: House) -> None:
    long = "x" * 400
    spans = [b.span(number=1, name="take, then give"), b.span(number=2, name=long)]
    for number, span in enumerate(spans):
        made = summarise("main", f"bet:{number}", [Row.of(b.stored(span))], read=b.NOW)
        assert made is not None
        house.store.put_summaries([made])
    assert ["bet:0"] == house.found("bet?reached=take\\, then give")
    assert ["bet:1"] == house.found(f"bet?reached={long}")


def test_an_entity_comes_with_its_steps_and_since_when_it_is_quiet(house: House) -> None:
    quiet = parse_time("2026-09-21T14:13:20Z", 0)
    held = summary(
        "bet:7:x",
        steps=(step("BetPlaced", quiet - 5, count=2, expired=True), step("BetAccepted", quiet)),
        current="BetAccepted",
        quiet=quiet,
        services=("bets",),
        facts=3,
        failed=1,
        cut=2,
    )
    house.store.put_summaries([held])
    answer = house.ask("bet?as_of=2026-09-21T15:13:20Z&quiet_for=1h")
    assert (1, None, "2026-09-21T15:13:20.000000000Z", b.HOUR) == (
        answer["total"],
        answer["next"],
        answer["as_of"],
        answer["quiet_for_ns"],
    )
    (one,) = answer["entities"]
    assert ("bet:7:x", "bet", "7:x", "BetAccepted", "2026-09-21T14:13:20.000000000Z") == (
        one["entity"],
        one["type"],
        one["id"],
        one["current"],
        one["quiet_since"],
    )
    assert (b.HOUR, 3, 1, 2, ["bets"]) == (
        one["quiet_ns"],
        one["facts"],
        one["failed"],
        one["cut"],
        one["services"],
    )
    assert {
        "name": "BetPlaced",
        "first": "2026-09-21T14:13:19.999999995Z",
        "last": "2026-09-21T14:13:19.999999995Z",
        "count": 2,
        "expired": True,
    } == one["steps"][0]


def test_pages_follow_each_other(house: House) -> None:
    house.store.put_summaries([summary(f"bet:{n}", quiet=b.NOW + n) for n in range(5)])
    found, path = [], "bet?limit=2"
    while True:
        answer = house.ask(path)
        assert 5 == answer["total"]
        found += [one["id"] for one in answer["entities"]]
        if answer["next"] is None:
            break
        path = f"bet?limit=2&cursor={answer['next']}"
    assert ["0", "1", "2", "3", "4"] == found


def test_the_answer_says_up_to_when_summaries_are_whole(house: House) -> None:
    before = time.time_ns()
    answer = house.ask("bet")["coverage"]
    assert before <= parse_time(answer["up_to"], 0) <= time.time_ns()
    house.inbox.touch([("main", "bet:1")])
    touched = house.inbox.behind().oldest
    assert touched == parse_time(house.ask("bet")["coverage"]["up_to"], 0)
    assert "Steps are read from summaries" in house.ask("bet")["coverage"]["lines"][0]


def test_other_nodes_hold_it_back_by_what_they_reported_last(house: House) -> None:
    now = time.time_ns()
    fields = {"since": 0, "started": 0, "beat": now - 3}
    Node.objects.create(name="here", role="worker", since=0, started=0, beat=5)
    Node.objects.create(name="there", role="receiver", **fields)
    assert now - 3 == parse_time(house.ask("bet")["coverage"]["up_to"], 0)
    Node.objects.create(name="there", role="worker", summaries_behind=now - 9, touches_lost=4, **fields)
    told = house.ask("bet")["coverage"]
    assert (now - 9, 4) == (parse_time(told["up_to"], 0), told["touches_lost"])
    assert "resummarise" in told["lines"][1]
    Node.objects.create(name="here", role="consumer", oldest_pending=now - 20, **fields)
    assert now - 20 == parse_time(house.ask("bet")["coverage"]["up_to"], 0)


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        ("quiet_for=soon", "2h30m"),
        ("quiet_for=-1h", "1.5s"),
        ("as_of=lately", "now-2h"),
        ("cursor=nonsense", "first page"),
        ("reached=A,B&missing=B", "one of the two"),
        ("reached=" + ",".join(f"S{n}" for n in range(51)), "at most 50"),
    ],
)
def test_what_cannot_be_read_is_a_problem_with_its_remedy(house: House, asked: str, remedy: str) -> None:
    told = house.ask(f"bet?{asked}", status=400)
    assert 400 == told["status"]
    assert remedy in told["remedy"]


@pytest.mark.parametrize("limit", ["0", "1001", "many", "9" * 5000])
def test_a_page_size_out_of_bounds_is_a_problem(house: House, limit: str) -> None:
    assert "limit" in house.ask(f"bet?limit={limit}", status=400)["detail"]


def test_a_stranger_learns_nothing(bets: House) -> None:
    answer = Client().get("/api/v1/entities/bet")
    assert (401, "application/problem+json") == (answer.status_code, answer.headers["Content-Type"])
    bets.token = keys.create("sender", Token.Scope.INGEST)
    bets.ask("bet", status=401)


def test_a_timeline_is_still_asked_by_parameter(house: House) -> None:
    house.store.write([b.stored(b.span(entities=b.entities("bet:1")))], visible=True)
    assert "bet:1" == house.ask("timeline?entity=bet:1")["subject"]
