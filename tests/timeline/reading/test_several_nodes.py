"""One verdict over several nodes: what any of them holds or hides counts everywhere."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from timeline.answers import Verdict
from timeline.inbox.inbox import Entry, Inbox
from timeline.ingest.request import Accepted
from timeline.models import Audit, Consumed, Node, Outage
from timeline.reading.coverage import COMMITTING, CoverageReader
from timeline.reading.senders import senders
from timeline.search.query import Window
from timeline.store.port import Count

pytestmark = pytest.mark.django_db
SECOND = 10**9
HOUR = 3600 * SECOND


def _node(name: str, role: str = "receiver", *, age: float = 0.5, since: int = 0, **more: Any) -> int:
    """A row that was written ``age`` seconds ago, and when that was."""
    beat = time.time_ns() - int(age * SECOND)
    begun = since or beat - 48 * HOUR
    Node.objects.create(name=name, role=role, since=begun, started=begun, beat=beat, **more)
    return beat


def _waits(seconds: float, requests: int = 3) -> dict[str, Any]:
    at = time.time_ns() - int(seconds * SECOND)
    return {"oldest_pending": at, "pending_requests": requests, "pending_items": 10 * requests}


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    """The inbox of node a, whose desk is asked."""
    _node("a")
    return Inbox(tmp_path / "inbox.sqlite3")


def _reader(inbox: Inbox, *, lag: int = 0) -> CoverageReader:
    return CoverageReader(
        node="a", backlog=inbox.backlog, settling=inbox.settling, retention_days=14, lag=lag
    )


def _verdict(inbox: Inbox, *, lag: int = 0, hours: float = 2, until: float = 0) -> Verdict:
    now = time.time_ns()
    window = Window(start=now - int(hours * HOUR), end=now - int(until * HOUR), on="either")
    reader = _reader(inbox, lag=lag)
    return reader.judge(reader.gather(window, "main"), Count(value=0))


def _accept(inbox: Inbox, name: str) -> None:
    request = Accepted(
        id=name,
        signal="logs",
        content_encoding="",
        headers={},
        body=b"",
        received=0,
        digest=name.encode(),
        items=2,
    )
    inbox.accept([request], [Entry(sender="", what="received", items=2)])


def test_nothing_waiting_anywhere_is_not_seen_up_to_the_last_report_of_the_slowest_node(inbox: Inbox) -> None:
    beat = _node("b", age=1)
    found = _verdict(inbox)
    assert ("not_seen", beat - COMMITTING) == (found.kind, found.up_to)


def test_what_waits_on_another_node_is_cannot_say_here(inbox: Inbox) -> None:
    waits = _waits(60)
    _node("b", "worker", **waits)
    _node("b", **waits)
    found = _verdict(inbox)
    assert "cannot_say" == found.kind
    assert found.sentence.startswith("Cannot say: 3 requests not yet indexed")
    assert found.up_to == waits["oldest_pending"]


def test_the_worker_is_believed_while_it_lives_since_it_knows_what_it_released(inbox: Inbox) -> None:
    _node("b", "receiver", age=0.1)
    _node("b", "worker", age=0.9, **_waits(60))
    assert "cannot_say" == _verdict(inbox).kind
    Node.objects.filter(role="worker").update(beat=time.time_ns() - 6 * SECOND)
    assert "not_seen" == _verdict(inbox).kind


def test_a_receiver_that_died_is_spoken_for_by_its_worker(inbox: Inbox) -> None:
    died = _node("b", age=600, **_waits(700))
    beat = _node("b", "worker", age=0.5)
    found = _verdict(inbox)
    assert beat - COMMITTING == found.up_to
    assert [("outage", died)] == [(cause.kind, cause.start) for cause in found.causes]
    assert "not all 2 receivers were up" in found.sentence


def test_a_node_silent_for_a_quarter_minute_is_cannot_say_until_it_is_retired(inbox: Inbox) -> None:
    _node("b", "worker", age=14)
    assert "not_seen" == _verdict(inbox).kind
    Node.objects.filter(name="b").update(beat=time.time_ns() - 16 * SECOND)
    found = _verdict(inbox)
    assert "cannot_say" == found.kind
    assert found.sentence.startswith("Cannot say: node b has not reported since")
    assert "not_seen" == _verdict(inbox, hours=30, until=4).kind  # long before it fell silent
    call_command("retire", "b")
    assert "not_seen" == _verdict(inbox).kind


def test_the_own_inbox_is_read_and_its_rows_are_not_counted_again(inbox: Inbox) -> None:
    _node("a", "worker", **_waits(60))
    Node.objects.filter(name="a").update(**_waits(60))
    assert "not_seen" == _verdict(inbox).kind
    _accept(inbox, "r")
    coverage = _reader(inbox).read(
        Window(start=time.time_ns() - HOUR, end=time.time_ns(), on="either"), "main"
    )
    assert (1, 2) == (coverage.pending_requests, coverage.pending_items)


def test_a_consumer_on_this_node_counts_beside_its_inbox(inbox: Inbox) -> None:
    _node("a", "consumer", **_waits(60))
    assert "backlog" == _verdict(inbox).causes[0].kind


def test_what_was_released_a_moment_ago_holds_the_watermark_until_every_search_sees_it(inbox: Inbox) -> None:
    before = time.time_ns()
    _accept(inbox, "r")
    lease, _ = inbox.claim()
    inbox.release(lease, {"r": []})
    released = time.time_ns()
    assert before <= (inbox.settling(HOUR) or 0) <= released
    assert (_verdict(inbox, lag=HOUR).up_to or 0) <= released - HOUR
    assert None is inbox.settling(0)
    time_passed = time.time_ns() - released
    assert None is inbox.settling(max(time_passed // 1000, 1))


def test_senders_shows_the_sum_over_all_nodes(inbox: Inbox) -> None:
    _accept(inbox, "r")
    tally = [{"sender": "", "what": what, "reason": "", "items": items, "requests": 1, "last": 0}
             for what, items in (("received", 40), ("new", 10))]  # fmt: skip
    _node("b", "receiver", age=0.1, tally=tally)
    _node("b", "worker", **_waits(60), tally=tally)
    _node("a", "worker", **_waits(60), tally=tally)
    Consumed.objects.create(
        group="g", topic="t", partition=0, tally=[tally[1] | {"what": "received"}, tally[1]]
    )
    found = senders(inbox, "a")
    expected = {"received": 2 + 40 + 10, "new": 20, "inbox": 2 + 30}
    assert expected == {what: items for what, items in found.tally.items() if items}
    assert (1 + 3, 2 + 30) == (found.pending_requests, found.pending_items)


def test_a_node_with_a_backlog_is_only_retired_by_giving_it_up(inbox: Inbox) -> None:
    _node("b", age=60, **_waits(60))
    with pytest.raises(CommandError, match="3 requests waited in the inbox of b"):
        call_command("retire", "b")
    call_command("retire", "b", "--abandon")
    assert not Node.objects.filter(name="b").exists()
    assert ["b: 3 requests given up"] == list(Audit.objects.values_list("detail", flat=True))


@pytest.mark.parametrize("role", ["consumer", "tap"])
def test_what_a_reader_of_kafka_has_before_it_is_not_lost_with_its_node(inbox: Inbox, role: str) -> None:
    _node("b", role, age=60, **_waits(60))
    call_command("retire", "b")
    assert not Node.objects.filter(name="b").exists()


def test_a_tap_that_outlived_the_receiver_hides_no_inbox(inbox: Inbox) -> None:
    _node("b", age=90, **_waits(90))
    _node("b", "tap", age=60)
    with pytest.raises(CommandError, match="3 requests waited in the inbox of b"):
        call_command("retire", "b")


def test_what_a_retired_node_recorded_stays_recorded(inbox: Inbox) -> None:
    first = time.time_ns() - 200 * HOUR
    _node("b", age=60, since=first)
    call_command("retire", "b")
    assert [first] == list(Node.objects.values_list("since", flat=True))


def test_one_process_can_be_retired_alone(inbox: Inbox) -> None:
    _node("b", "consumer", age=60, **_waits(90))
    _node("b", "worker", age=0)
    call_command("retire", "b", "--role", "consumer")
    assert ["worker"] == list(Node.objects.filter(name="b").values_list("role", flat=True))
    assert 0 == Outage.objects.count()
