"""The drain: what was accepted is stored once and accounted for, whatever fails on the way."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.timeline.ingest.otlp_requests import traces
from timeline import indexing, records
from timeline.errors import QueueUnavailable, StoreUnavailable
from timeline.inbox.inbox import Inbox
from timeline.indexing import MAX_ATTEMPTS, STEP_ASIDE, Drain
from timeline.ingest.entities import Rules
from timeline.ingest.request import Accepted, Signal
from timeline.models import Arrival, PartlyIndexed, Quarantined, Sender
from timeline.search.query import All, Query
from timeline.store.port import PartlyStored
from timeline.store.tantivy import TantivyStore, schema

pytestmark = pytest.mark.django_db
NOW = 1_790_000_000_000_000_000


def _accepted(name: str, signal: Signal, content_type: str, body: bytes, items: int) -> Accepted:
    return Accepted(
        id=name,
        signal=signal,
        content_encoding="",
        headers={"content-type": content_type},
        body=body,
        received=NOW,
        digest=name.encode(),
        items=items,
    )


class House:
    """An inbox, a store and the drain between them."""

    def __init__(self, folder: Path) -> None:
        self.inbox = Inbox(folder / "inbox.sqlite3")
        self.store = TantivyStore(folder / "index", writable=True)
        self.store.prepare()
        self.drain = Drain(self.inbox, self.store, lambda workspace: Rules.default())

    def accept(self, name: str, *logs: dict[str, Any]) -> None:
        """One request of log records."""
        body = {"resourceLogs": [{"scopeLogs": [{"logRecords": list(logs)}]}]}
        self.inbox.accept([_accepted(name, "logs", "application/json", json.dumps(body).encode(), len(logs))])

    def tally(self) -> dict[str, int]:
        """Items by what became of them."""
        return {line.what: line.items for line in self.inbox.snapshot()[1]}

    def held(self) -> int:
        """Facts in the store."""
        return self.store.count(Query(where=All())).value


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def _log(text: str, at: int = NOW) -> dict[str, Any]:
    return {"timeUnixNano": str(at), "body": {"stringValue": text}}


def test_what_was_accepted_is_stored_and_released(house: House) -> None:
    house.accept("a", _log("one"), _log("two"))
    assert 1 == house.drain.run()
    assert (2, {"new": 2}, 0) == (house.held(), house.tally(), house.inbox.backlog().requests)
    assert 2 == Sender.objects.get().facts


def test_a_second_arrival_is_counted_once_per_request(house: House) -> None:
    for name in ("a", "b", "c"):
        house.accept(name, _log("same"))
        house.drain.run()
    assert (1, {"new": 1, "already": 2}) == (house.held(), house.tally())
    assert {"b", "c"} == set(Arrival.objects.values_list("request", flat=True))


def test_a_store_that_is_away_keeps_everything_and_is_no_attempt(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    house.accept("a", _log("one"))
    with monkeypatch.context() as patch:
        patch.setattr(house.store, "write", away)
        for _ in range(MAX_ATTEMPTS + 2):
            with pytest.raises(StoreUnavailable):
                house.drain.run()
    assert 1 == house.drain.run()
    assert {"new": 1} == house.tally()


def test_evidence_survives_a_database_that_was_away_after_the_write(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: object) -> None:
        raise QueueUnavailable("locked")

    many = {"timeUnixNano": str(NOW), "body": {"kvlistValue": {"values": [
        {"key": f"k{n}", "value": {"intValue": str(n)}} for n in range(300)
    ]}}}  # fmt: skip
    house.accept("a", many)
    with monkeypatch.context() as patch:
        patch.setattr(records, "keep", away)
        with pytest.raises(QueueUnavailable):
            house.drain.run()
    assert 1 == house.drain.run()
    assert (1, 1) == (PartlyIndexed.objects.count(), Sender.objects.count())
    assert {"new": 1} == house.tally()


def test_a_text_too_long_to_index_whole_is_known_to_the_verdict(house: House) -> None:
    house.accept("a", _log(" ".join(f"word{n}" for n in range(30_000))))
    house.drain.run()
    assert NOW == PartlyIndexed.objects.get().at


def test_a_partly_indexed_fact_of_an_impossible_time_does_not_stop_the_line(house: House) -> None:
    house.accept("a", _log(" ".join(f"word{n}" for n in range(30_000)), at=2**64 - 1))
    assert 1 == house.drain.run()
    assert 1 == PartlyIndexed.objects.count()


def test_what_always_fails_is_set_aside_alone_and_its_neighbours_are_stored(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.accept("good", _log("one"))
    house.accept("bad", _log("poison"))
    write = house.store.write

    def fragile(facts: Any, **more: Any) -> Any:
        assert not any(fact.receipt.request == "bad" for fact in facts), "the engine fell over"
        return write(facts, **more)

    monkeypatch.setattr(house.store, "write", fragile)
    for _ in range(2 * MAX_ATTEMPTS):
        try:
            house.drain.run()
        except AssertionError:
            continue
    assert {"new": 1, "quarantined": 1} == house.tally()
    assert ("bad", "kept_killing_workers") == Quarantined.objects.values_list("request", "reason").get()
    assert b"poison" in bytes(Quarantined.objects.get().data)


def test_a_fact_that_the_store_refuses_is_kept_as_a_request_of_its_own(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "refusal", lambda _: "no room")
    sent = traces({"name": "one", "attributes": {"bet.id": "1"}}, {"name": "two"})
    house.inbox.accept([_accepted("ab" * 8, "traces", "application/x-protobuf", sent.SerializeToString(), 2)])
    house.drain.run()
    first, second = Quarantined.objects.order_by("position")
    assert ("store_refused", "no room", 1) == (first.reason, first.message, first.items)
    alone = type(sent).FromString(bytes(first.data))
    assert "one" == alone.resource_spans[0].scope_spans[0].spans[0].name
    assert sent.resource_spans[0].resource == alone.resource_spans[0].resource
    assert b"two" in bytes(second.data)
    assert b"one" not in bytes(second.data)


def test_requests_step_aside_for_a_part_of_the_store_and_the_others_go_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.accept("both", _log("today"), _log("lost"))
    house.accept("today", _log("another"))
    write = house.store.write

    def in_part(facts: Any) -> Any:
        reports = [None if fact.fact.body == "lost" else write([fact])[0] for fact in facts]
        if None in reports:
            raise PartlyStored(StoreUnavailable("a day is away"), reports)
        return reports

    with monkeypatch.context() as patch:
        patch.setattr(house.store, "write", in_part)
        assert 1 == house.drain.run()
        assert {"new": 1} == house.tally()
        assert 2 == house.inbox.backlog().items
        assert not house.inbox.waits(), "what steps aside is not taken again at once"
        house.accept("later", _log("fresh"))
        assert 1 == house.drain.run()
    past = time.time_ns() + 2 * STEP_ASIDE
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: past)
        assert 1 == house.drain.run()
    assert (4, {"new": 4}, 0) == (house.held(), house.tally(), house.inbox.backlog().requests)


class Killed(BaseException):
    """What ends a worker from outside."""


def _tries(house: House) -> None:
    for _ in range(2 * MAX_ATTEMPTS):
        with contextlib.suppress(Killed):
            house.drain.run()


def test_a_worker_that_is_killed_while_it_waits_for_the_store_is_no_requests_fault(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(house.store, "elsewhere", True)
    house.accept("a", _log("one"))
    with monkeypatch.context() as patch:
        patch.setattr(house.store, "write", killed)
        _tries(house)
    assert 1 == house.drain.run()
    assert {"new": 1} == house.tally()


@pytest.mark.parametrize("step", ["decode", "rehearse"])
def test_what_kills_its_worker_before_it_is_stored_is_set_aside(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    own = getattr(indexing, step)

    def deadly(what: Any, *more: Any, **named: Any) -> Any:
        requests = {what.id} if step == "decode" else {fact.receipt.request for fact in what}
        if "bad" in requests:
            raise Killed
        return own(what, *more, **named)

    def killed(facts: Any) -> Any:
        if any(fact.receipt.request == "bad" for fact in facts):
            raise Killed  # what rehearsing shows, storing would show
        return write(facts)

    write = house.store.write
    monkeypatch.setattr(house.store, "elsewhere", True)
    monkeypatch.setattr(house.store, "write", killed)
    monkeypatch.setattr(indexing, step, deadly)
    house.accept("good", _log("one"))
    house.accept("bad", _log("poison"))
    _tries(house)
    assert {"new": 1, "quarantined": 1} == house.tally()
    assert ("bad", "kept_killing_workers") == Quarantined.objects.values_list("request", "reason").get()


def _about(text: str, *bets: str) -> dict[str, Any]:
    values = [{"key": "bet.id", "value": {"stringValue": bet}} for bet in bets]
    return _log(text) | {"attributes": values}


def test_the_entities_that_new_facts_touched_are_noted(house: House) -> None:
    house.accept("a", _about("placed", "1"), _about("won", "2"), _log("about nothing"))
    house.drain.run()
    noted = house.inbox.touched(1 << 62, limit=100)
    assert (("main", "bet:1"), ("main", "bet:2")) == noted.entities
    house.inbox.summarised(noted)
    house.accept("b", _about("placed", "1"))
    house.drain.run()  # a second arrival changes no summary
    assert () == house.inbox.touched(1 << 62, limit=100).entities


def test_what_an_earlier_try_stored_is_noted_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: object) -> None:
        raise QueueUnavailable("locked")

    house.accept("a", _about("placed", "1"))
    with monkeypatch.context() as patch:
        patch.setattr(records, "keep", away)
        with pytest.raises(QueueUnavailable):
            house.drain.run()
    assert 0 == house.inbox.behind().touches
    house.drain.run()
    assert (("main", "bet:1"),) == house.inbox.touched(1 << 62, limit=100).entities
