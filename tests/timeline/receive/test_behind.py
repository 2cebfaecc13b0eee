"""What runs behind the requests: heartbeat, refusals, hints."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError

from tests.receiving import wait_for
from timeline import keys
from timeline.inbox.inbox import Entry, Inbox
from timeline.models import Node, Outage, Refusal, Token
from timeline.receive import refusals
from timeline.receive.access import Keys, Sender
from timeline.receive.heartbeat import Heartbeat
from timeline.receive.hints import Hints
from timeline.receive.refusals import Refusals
from timeline.receive.uses import Uses


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox.sqlite3")


def note(kept: Refusals, reason: str = "malformed", sample: bytes = b"x", items: int = 1) -> None:
    kept.note(
        workspace="main",
        sender="a",
        signal="traces",
        reason=reason,
        message="m" * 2000,
        items=items,
        sample=sample,
    )


@pytest.mark.django_db
def test_refusals_of_one_kind_are_one_row_a_minute_with_the_first_sample(inbox: Inbox) -> None:
    kept = Refusals(inbox)
    note(kept, sample=b"first" * 50_000, items=3)
    note(kept, sample=b"second")
    assert kept.flush()
    note(kept, items=2)
    note(kept, reason="too_deep")
    assert kept.flush()
    rows = list(Refusal.objects.order_by("reason").values_list("reason", "items"))
    assert [("malformed", 6), ("too_deep", 1)] == rows
    row = Refusal.objects.get(reason="malformed")
    assert (64 << 10, b"first", 1000) == (len(row.sample), bytes(row.sample[:5]), len(row.message))
    assert row.first <= row.last


@pytest.mark.django_db
def test_a_locked_database_loses_no_refusal(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Refusals(inbox)

    def locked(**arguments: object) -> None:
        raise DatabaseError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(refusals.records, "refused", locked)
        patch.setattr(refusals, "close_old_connections", lambda: None)  # the test's own transaction goes on
        note(kept)
        kept.count(("a", "refused", "malformed"))
        assert not kept.flush()
    note(kept)
    assert kept.flush()
    assert [2] == list(Refusal.objects.values_list("items", flat=True))
    assert [1] == [line.items for line in inbox.snapshot()[1]]


def test_a_flood_of_kinds_stays_bounded(inbox: Inbox) -> None:
    kept = Refusals(inbox)
    for number in range(5000):
        note(kept, reason=str(number))
    assert 2000 == kept.waiting


@pytest.mark.django_db
def test_the_first_beat_of_a_node_is_no_outage(inbox: Inbox) -> None:
    inbox.account([Entry(sender="a", what="received", items=3)])
    Heartbeat(inbox, "n").beat()
    node = Node.objects.get()
    assert ("n", "receiver", 0, 3) == (node.name, node.role, node.pending_requests, node.tally[0]["items"])
    assert 0 == Outage.objects.count()


@pytest.mark.django_db
def test_a_later_start_records_the_time_from_the_last_beat_once(inbox: Inbox) -> None:
    Heartbeat(inbox, "n").beat()
    last = Node.objects.get().beat
    again = Heartbeat(inbox, "n")
    again.beat()
    again.beat()
    outage = Outage.objects.get()
    assert ("n", last) == (outage.node, outage.start)
    assert last < outage.end <= time.time_ns()


def test_hints_are_sent_together_and_a_failing_broker_is_asked_again() -> None:
    sent: list[float] = []

    def send() -> None:
        sent.append(time.monotonic())
        if len(sent) == 1:
            raise ConnectionError("no broker")

    hints = Hints(send)
    hints.start()
    for _ in range(1000):
        hints.wanted()
    wait_for(lambda: sent, "a hint")
    hints.wanted()
    wait_for(lambda: len(sent) > 1, "another hint")
    hints.stop()
    assert not hints.is_alive()
    assert len(sent) < 10
    assert min(later - earlier for earlier, later in pairwise(sent)) > 0.09


@pytest.mark.django_db
def test_the_last_use_of_keys_is_written_together_and_waits_for_the_database(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    for name in ("a", "b", "unused"):
        keys.make(keys.Terms(name=name), "ingest")
    noted, uses = dict(Token.objects.values_list("name", "pk")), Uses()
    for name in ("a", "b", "a"):
        uses.note(noted[name])
    uses.note(0)  # the machine itself
    with monkeypatch.context() as patch:
        patch.setattr("timeline.receive.uses.close_old_connections", lambda: None)
        patch.setattr(
            Token.objects, "filter", lambda **_: (_ for _ in ()).throw(DatabaseError("database is locked"))
        )
        uses.write()
    with django_assert_num_queries(1):
        uses.write()
        uses.write()
    assert {"a", "b"} == set(Token.objects.exclude(last_used=None).values_list("name", flat=True))


def test_a_key_is_used_when_it_is_looked_up_and_only_where_it_lives() -> None:
    used: list[int] = []
    known = Keys({"good": Sender(name="a", key=7)}.get, used.append)
    for secret in ("good", "bad"):
        known.ask(secret)
    assert [7] == used
