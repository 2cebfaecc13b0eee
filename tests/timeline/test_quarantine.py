"""What could not be stored is accepted again or given up, and every item stays accounted for."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from tests.timeline.test_indexing import House, _log
from timeline import quarantine, redactions, wiring
from timeline.errors import Rejected
from timeline.indexing import APART, MAX_ATTEMPTS
from timeline.models import Audit, Quarantined
from timeline.reading import rows as database
from timeline.redactions import Redactions
from timeline.search.query import Window
from timeline.store.tantivy import schema
from timeline.web.contexts.quarantine import _readable

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """A worker that ended."""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    made = House(tmp_path)
    monkeypatch.setattr(wiring, "inbox", lambda: made.inbox)
    yield made
    made.store.close()


@pytest.fixture
def row(house: House, monkeypatch: pytest.MonkeyPatch) -> Quarantined:
    """The one of two items that the store refused; it would take it now."""
    with monkeypatch.context() as patch:
        patch.setattr(schema, "refusal", lambda stored: "no room" if stored.fact.body == "odd" else None)
        house.accept("a", _log("good"), _log("odd"))
        house.drain.run()
    assert {"new": 1, "quarantined": 1} == house.tally()
    return Quarantined.objects.get()


def sums(house: House) -> dict[str, int]:
    found: dict[str, int] = {"inbox": house.inbox.backlog().items}
    for line in house.inbox.snapshot()[1]:
        found[line.what] = found.get(line.what, 0) + line.items
    return {name: count for name, count in found.items() if count}


def aside() -> list[tuple[str, int]]:
    return [(group.reason, group.items) for group in database.set_aside(Window(), "main")]


def test_what_is_replayed_waits_again_and_is_stored(house: House, row: Quarantined) -> None:
    assert [("store_refused", 1)] == aside()

    quarantine.replay(row, house.inbox, Redactions(), who="mo")

    assert {"new": 1, "inbox": 1} == sums(house)
    assert [] == aside()
    assert 1 == house.drain.run()
    assert {"new": 2} == sums(house)
    assert 2 == house.held()
    row.refresh_from_db()
    assert ("replayed", "mo") == (row.state, row.who)
    assert "quarantine replay" == Audit.objects.get().what


def test_nothing_is_decided_twice(house: House, row: Quarantined) -> None:
    quarantine.replay(row, house.inbox, Redactions(), who="mo")
    with pytest.raises(Rejected, match="already"):
        quarantine.replay(row, house.inbox, Redactions(), who="jo")
    with pytest.raises(Rejected, match="already"):
        quarantine.discard(row, house.inbox, why="no", who="jo")
    assert {"new": 1, "inbox": 1} == sums(house)


@contextlib.contextmanager
def ended_before_the_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process ends between inbox and database."""

    def ended(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(quarantine, "_decided", ended)
        with pytest.raises(Killed):
            yield


def test_ended_between_inbox_and_database_it_is_accepted_once(
    house: House, row: Quarantined, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ended_before_the_database(monkeypatch):
        quarantine.replay(row, house.inbox, Redactions(), who="mo")
    assert 1 == quarantine.kept().count()

    quarantine.replay(row, house.inbox, Redactions(), who="mo")

    assert {"new": 1, "inbox": 1} == sums(house)


def test_what_fails_again_comes_back_with_its_reason(
    house: House, row: Quarantined, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantine.replay(row, house.inbox, Redactions(), who="mo")
    monkeypatch.setattr(schema, "refusal", lambda _: "still no room")
    house.drain.run()
    again = quarantine.kept().get()
    assert ("store_refused", "still no room", bytes(row.data)) == (
        again.reason,
        again.message,
        bytes(again.data),
    )
    assert {"new": 1, "quarantined": 1} == sums(house)


def test_a_replay_keeps_to_the_rules_of_today(house: House, row: Quarantined) -> None:
    redactions.make(by="attribute", match="body", action="mask", who="mo")
    quarantine.replay(row, house.inbox, Redactions(), who="mo")
    (claimed,) = house.inbox.claim()[1]
    assert b"odd" not in claimed.request.body
    assert b"[masked]" in claimed.request.body


def test_what_a_rule_takes_out_of_a_replay_is_counted(house: House, row: Quarantined) -> None:
    rule = redactions.make(by="attribute", match="body", action="mask", who="mo")
    quarantine.replay(row, house.inbox, Redactions(), who="mo")
    rule.refresh_from_db()
    assert 1 == rule.hits


def test_of_a_discard_that_ended_in_its_middle_nothing_is_counted_twice(
    house: House, row: Quarantined, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ended_before_the_database(monkeypatch):
        quarantine.discard(row, house.inbox, why="a load test", who="mo")
    with pytest.raises(Rejected, match="a discard of it was begun"):
        quarantine.replay(row, house.inbox, Redactions(), who="mo")
    quarantine.discard(row, house.inbox, why="a load test", who="mo")
    kinds = {line.reason: line.items for line in house.inbox.snapshot()[1] if line.what == "quarantined"}
    assert {"store_refused": 0, "discarded": 1} == kinds


def test_what_cannot_be_replayed_stands_behind_what_can(house: House, row: Quarantined) -> None:
    Quarantined.objects.create(
        request="x", position=0, at=1, sender="", signal="traces", reason=row.reason, message="", data=b"?"
    )
    assert [row.pk] == [one.pk for one in quarantine.all_of(row.reason)][:1]


def test_what_is_discarded_stays_counted_and_stays_a_cause(house: House, row: Quarantined) -> None:
    with pytest.raises(Rejected, match="reason"):
        quarantine.discard(row, house.inbox, why=" ", who="mo")

    quarantine.discard(row, house.inbox, why="a load test", who="mo")

    row.refresh_from_db()
    assert ("discarded", "a load test", b"") == (row.state, row.because, bytes(row.data))
    assert {"new": 1, "quarantined": 1} == sums(house)
    kinds = {line.reason: line.items for line in house.inbox.snapshot()[1] if line.what == "quarantined"}
    assert {"store_refused": 0, "discarded": 1} == kinds
    assert [("store_refused", 1)] == aside()


def test_bytes_alone_are_no_request(house: House) -> None:
    old = Quarantined.objects.create(
        request="x", position=0, at=1, sender="", signal="traces", reason="bad", message="", data=b"?"
    )
    with pytest.raises(Rejected, match="only its bytes"):
        quarantine.replay(old, house.inbox, Redactions(), who="mo")


def fragile(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store whose worker ends at one text."""
    write = house.store.write

    def deadly(facts: Any, **more: Any) -> Any:
        if any(one.fact.body == "poison" for one in facts):
            raise Killed
        return write(facts, **more)

    monkeypatch.setattr(house.store, "write", deadly)


@pytest.mark.parametrize("place", [0, 17, 63])
def test_of_a_request_that_ends_its_workers_one_item_is_set_aside(
    house: House, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    fragile(house, monkeypatch)
    texts = [f"log {n}" for n in range(64)]
    texts[place] = "poison"
    house.accept("a", *(_log(text) for text in texts))
    tries = 0
    while house.inbox.backlog().requests:
        tries += 1
        with contextlib.suppress(Killed):
            house.drain.run()
    row = Quarantined.objects.get()
    assert ("kept_killing_workers", 1) == (row.reason, row.items)
    assert b"poison" in bytes(row.data)
    assert b"log 5" not in bytes(row.data)
    assert {"new": 63, "quarantined": 1} == sums(house)
    assert tries <= MAX_ATTEMPTS + 7 + 1  # halves of 64, and the end


def test_equal_records_stay_in_one_piece_and_are_all_stored(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal ones are told apart by how many came before in their request: cut apart, they would be one."""
    fragile(house, monkeypatch)
    house.accept("a", *(_log(text) for text in ("same", "one", "poison", "same", "two", "same")))
    while house.inbox.backlog().requests:
        with contextlib.suppress(Killed):
            house.drain.run()
    assert {"new": 5, "quarantined": 1} == sums(house)
    assert 5 == house.held()


def test_of_equal_records_that_end_their_worker_all_are_set_aside(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    fragile(house, monkeypatch)
    house.accept("a", _log("poison"), _log("poison"))
    while house.inbox.backlog().requests:
        with contextlib.suppress(Killed):
            house.drain.run()
    assert [("kept_killing_workers", 2)] == aside()


def test_where_the_cutting_ends_the_worker_the_whole_is_set_aside(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from timeline import indexing

    fragile(house, monkeypatch)

    def deadly(*_: object) -> Any:
        raise Killed

    monkeypatch.setattr(indexing, "kept_positions", deadly)
    house.accept("a", _log("poison"), _log("good"))
    for _ in range(MAX_ATTEMPTS + 2):
        with contextlib.suppress(Killed):
            house.drain.run()
    assert [("kept_killing_workers", 2)] == list(Quarantined.objects.values_list("reason", "items"))
    assert {"quarantined": 2} == sums(house)


def test_many_of_one_reason_are_kept_together(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "refusal", lambda _: "no room")
    house.accept("a", *(_log(f"log {n}") for n in range(APART + 1)))
    house.drain.run()
    row = Quarantined.objects.get()
    assert APART + 1 == row.items
    monkeypatch.undo()
    quarantine.replay(row, house.inbox, Redactions(), who="mo")
    house.drain.run()
    assert {"new": APART + 1} == sums(house)


def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create(username="mo", is_staff=True))
    return client


def test_the_pages_show_replay_and_discard(house: House, row: Quarantined) -> None:
    client = operator()
    page = client.get("/senders/quarantine").content.decode()
    assert "1 item is in quarantine, for 1 reason." in page
    assert "no room" in page
    one = client.get(f"/senders/quarantine/{row.pk}").content.decode()
    assert "odd" in one
    assert "good" not in one
    taken = client.get(f"/senders/quarantine/{row.pk}/bytes")
    assert (
        "odd"
        == json.loads(taken.content)["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"][
            "stringValue"
        ]
    )
    decide = f"/senders/quarantine/{row.pk}/decide"
    assert 422 == client.post(decide, {"what": "discard", "why": ""}).status_code
    assert 404 == client.post(decide, {"what": "shred"}).status_code
    assert 302 == client.post(decide, {"what": "replay"}).status_code
    assert "replayed" in client.get(f"/senders/quarantine/{row.pk}").content.decode()
    assert "Nothing is in quarantine" in client.get("/senders/quarantine").content.decode()
    assert 404 == client.get("/senders/quarantine/999999").status_code


def test_all_of_a_reason_at_once(house: House, row: Quarantined) -> None:
    client = operator()
    everything = {"reason": "store_refused", "what": "discard"}
    assert 422 == client.post("/senders/quarantine/decide", everything).status_code
    assert 302 == client.post("/senders/quarantine/decide", everything | {"why": "a test"}).status_code
    assert not quarantine.kept().exists()


def test_a_reader_looks_and_decides_nothing(house: House, row: Quarantined) -> None:
    reader = Client()
    reader.force_login(User.objects.create(username="reader"))
    assert "Replay" not in reader.get("/senders/quarantine").content.decode()
    for path in (f"/senders/quarantine/{row.pk}/decide", "/senders/quarantine/decide"):
        assert 403 == reader.post(path, {"what": "replay", "reason": "store_refused"}).status_code
        assert Client().post(path, {"what": "replay"}).status_code in (302, 403)
    assert quarantine.kept().exists()


def test_the_command_lists_replays_and_discards(house: House, row: Quarantined) -> None:
    out = StringIO()
    call_command("quarantine", "list", stdout=out)
    assert "store_refused: no room" in out.getvalue()
    assert "1 items are kept" in out.getvalue()
    with pytest.raises(CommandError, match="nothing of that"):
        call_command("quarantine", "replay", "--item", "999999", stdout=out)
    call_command("quarantine", "replay", "--reason", "store_refused", stdout=out)
    assert "1 items replayed, 0 left as before" in out.getvalue()
    assert {"new": 1, "inbox": 1} == sums(house)


def test_what_is_large_is_shown_as_it_came() -> None:
    """It may be what ended a worker: the page that shows it does not take it apart."""
    small, large = (b"[" + b"1," * count + b"1]" for count in (10, 600_000))
    kinds = [
        _readable(Quarantined(signal="events", headers={"content-type": "application/json"}, data=data))[1]
        for data in (small, large)
    ]
    assert ["JSON", "text"] == kinds
    deep = b"[" * 150 + b",".join([b"1"] * 40_000) + b"]" * 150  # some 300 bytes a line where it is indented
    assert 256 << 10 == len(_readable(Quarantined(signal="events", headers={"a": "b"}, data=deep))[0])
