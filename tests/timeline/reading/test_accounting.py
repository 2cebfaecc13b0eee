"""The accounting of each sender: even at every instant, over nodes and Kafka, and honest where it is not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from timeline import wiring
from timeline.export.accounting import accounting_json
from timeline.inbox.inbox import Entry, Inbox
from timeline.ingest.request import Accepted
from timeline.models import Consumed, Node
from timeline.reading.accounting import accounting, added_up
from timeline.reading.desk import Desk

NOW = 1_790_000_000 * 10**9
SECOND = 10**9


def _line(sender: str, what: str, items: int, reason: str = "") -> dict[str, Any]:
    return {"sender": sender, "what": what, "reason": reason, "items": items, "requests": 1, "last": 0}


def _waits(sender: str, items: int, *, came: float = 0, went: float = 0, age: int = 30) -> dict[str, Any]:
    return {
        "sender": sender,
        "requests": 1,
        "items": items,
        "oldest": NOW - age * SECOND,
        "came": came,
        "went": went,
    }


def test_every_sender_is_even_and_so_is_the_sum() -> None:
    lines = [
        _line("pay", "received", 100),
        _line("pay", "refused", 10, "bad_trace_id"),
        _line("pay", "refused", 5, "quota"),
        _line("pay", "new", 60),
        _line("pay", "already", 4),
        _line("pay", "variant", 1),
        _line("pay", "quarantined", 2, "store_refused"),
        _line("", "received", 7),
        _line("", "discarded", 3),
    ]
    found = added_up(lines, [_waits("pay", 18), _waits("", 7)], NOW)
    keyless, pay = found.accounts
    assert ("pay", 100, 15, 18, 60, 4, 1, 2, 0) == (
        pay.sender, pay.received, pay.refused, pay.inbox, pay.new, pay.already, pay.variant, pay.quarantined,
        pay.unaccounted,
    )  # fmt: skip
    assert (
        ("quarantined", "store_refused", 2),
        ("refused", "bad_trace_id", 10),
        ("refused", "quota", 5),
    ) == pay.reasons
    assert ("", 7, 7, 0, 3) == (
        keyless.sender, keyless.received, keyless.inbox, keyless.unaccounted, keyless.discarded,
    )  # fmt: skip
    assert (107, 25, 0) == (found.total.received, found.total.inbox, found.total.unaccounted)


def test_what_does_not_come_out_even_is_told_by_how_much() -> None:
    found = added_up([_line("a", "received", 10), _line("b", "new", 4)], [_waits("a", 7)], NOW)
    assert [("a", 3), ("b", -4)] == [(one.sender, one.unaccounted) for one in found.accounts]
    assert -1 == found.total.unaccounted


@pytest.mark.parametrize(
    ("items", "came", "went", "expected"),
    [(0, 5, 5, 0.0), (300, 10, 40, 10.0), (300, 40, 10, None), (300, 10, 10, None), (300, 0, 0, None)],
)
def test_time_to_empty_is_told_where_more_goes_than_comes(
    items: int, came: float, went: float, expected: float | None
) -> None:
    assert expected == added_up([], [_waits("a", items, came=came, went=went)], NOW).accounts[0].empty_in


def test_a_sender_of_two_nodes_is_one_account() -> None:
    found = added_up(
        [_line("a", "received", 10), _line("a", "received", 30), _line("a", "new", 9)],
        [_waits("a", 1, came=2, age=5), _waits("a", 30, came=3, age=90)],
        NOW,
    )
    (account,) = found.accounts
    assert (40, 31, 0, 2, 5.0, NOW - 90 * SECOND) == (
        account.received, account.inbox, account.unaccounted, account.requests, account.came, account.oldest,
    )  # fmt: skip


def _accept(inbox: Inbox, name: str, sender: str) -> None:
    request = Accepted(
        id=name, signal="logs", content_encoding="", headers={}, body=b"", received=0, sender=sender,
        digest=name.encode(), items=2,
    )  # fmt: skip
    inbox.accept([request], [Entry(sender=sender, what="received", items=2)])


def _node(name: str, role: str = "worker", **more: Any) -> None:
    now = time.time_ns()
    Node.objects.create(name=name, role=role, since=now, started=now, beat=now, **more)


@pytest.mark.django_db
def test_other_nodes_and_kafka_are_part_of_it(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox.sqlite3")
    _accept(inbox, "r", "feed")
    _node("a", pending_items=99, waiting=[_waits("feed", 99)])  # this node itself, which is asked
    _node("b", pending_items=5, tally=[_line("feed", "received", 5)], waiting=[_waits("feed", 5)])
    _node("a", "tap", pending_items=50)  # what still lies in Kafka was not received
    lines = [_line("kafka otlp_spans", what, 8) for what in ("received", "new")]
    Consumed.objects.create(group="g", topic="otlp_spans", partition=0, tally=lines)
    found = accounting(inbox.books(), "a")
    assert [("feed", 7, 7, 0), ("kafka otlp_spans", 8, 0, 0)] == [
        (one.sender, one.received, one.inbox, one.unaccounted) for one in found.accounts
    ]


@pytest.mark.django_db
def test_a_node_of_an_older_version_is_in_the_sum(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox.sqlite3")
    _node("b", pending_items=5, pending_requests=1, oldest_pending=NOW, tally=[_line("feed", "received", 5)])
    found = accounting(inbox.books(), "a")
    assert (5, 0, NOW) == (found.total.inbox, found.total.unaccounted, found.total.oldest)
    assert [("feed", 5)] == [(one.sender, one.unaccounted) for one in found.accounts]


class _NoStore:
    """A store that is asked for nothing but its size."""

    visibility_lag = 0
    missing = None

    def size(self, *, seen: bool = False) -> dict[str, int]:
        return {"facts": 1}


@pytest.mark.django_db
def test_api_metrics_and_page_tell_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = Inbox(tmp_path / "inbox.sqlite3")
    store: Any = _NoStore()
    desk = Desk(store, inbox, node="a", retention_days=1, rules=lambda _: {})
    for name, value in (("inbox", inbox), ("reading", desk), ("reader", store)):
        monkeypatch.setattr(wiring, name, lambda value=value: value)
    _accept(inbox, "r", 'pay "x"')
    inbox.account(
        [
            Entry(sender='pay "x"', what="received", items=1),
            Entry(sender='pay "x"', what="refused", items=1, reason="quota"),
        ]
    )
    client = Client()
    client.force_login(User.objects.create(username="operator", is_staff=True))
    told = client.get("/api/v1/accounting").json()
    (sender,) = told["senders"]
    assert ('pay "x"', 3, 2, 1, 0) == (
        sender["sender"], sender["received"], sender["inbox"], sender["refused"], sender["unaccounted"],
    )  # fmt: skip
    assert [{"what": "refused", "reason": "quota", "items": 1}] == sender["reasons"]
    assert sender["age"] > 0
    assert (3, 2) == (told["total"]["received"], told["total"]["inbox"])
    assert 3 == client.get("/api/v1/senders").json()["accounting"]["total"]["received"]
    metrics = dict(
        line.rsplit(" ", 1) for line in client.get("/metrics").content.decode().splitlines() if line[0] != "#"
    )
    escaped = 'pay \\"x\\"'
    assert ("2.0", "2.0", "0.0") == (
        metrics["throughline_inbox_items"],
        metrics[f'throughline_sender_inbox_items{{sender="{escaped}"}}'],
        metrics[f'throughline_sender_unaccounted_items{{sender="{escaped}"}}'],
    )
    assert float(metrics["throughline_inbox_oldest_seconds"]) >= 0
    assert "+Inf" == metrics["throughline_inbox_empty_seconds"]
    page = client.get("/senders").content.decode()
    assert "pay &quot;x&quot;" in page
    assert page.count("data-account") == 1


def test_json_has_times_as_text_and_lengths_in_ns() -> None:
    told = accounting_json(added_up([], [_waits("a", 3, age=30)], NOW))
    assert (30 * SECOND, "2026-09-21T14:12:50.000000000Z") == (
        told["senders"][0]["age"],
        told["senders"][0]["oldest"],
    )
