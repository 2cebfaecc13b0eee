"""While the store is away, readers are told what is stored and cannot be searched yet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.servers.elasticsearch import free_port
from timeline import keys, wiring
from timeline.domain import Stored
from timeline.errors import StoreUnavailable
from timeline.inbox.inbox import Entry, Inbox
from timeline.ingest.request import Accepted
from timeline.models import Token
from timeline.reading.desk import Desk
from timeline.store.elasticsearch.store import ElasticsearchStore
from timeline.web.contexts import columns
from timeline.web.pages import waits_shown

pytestmark = pytest.mark.django_db
TOLD = "Stored, not yet searchable: 2 requests with 14 items wait in the inbox."


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk before a cluster that is not there, and an inbox with two requests."""
    inbox = Inbox(tmp_path / "inbox.sqlite3")
    for name, items in (("one", 4), ("two", 10)):
        inbox.accept(
            [
                Accepted(
                    id=name,
                    signal="traces",
                    content_encoding="",
                    headers={},
                    body=b"",
                    received=0,
                    sender="test",
                    items=items,
                )
            ]
        )
    store = ElasticsearchStore(f"elasticsearch://127.0.0.1:{free_port()}/away")
    made = Desk(store, inbox, node="here", retention_days=14, rules=lambda _: {})
    monkeypatch.setattr(wiring, "reading", lambda: made)
    return made


def _ask(path: str) -> Any:
    token = keys.create("test", Token.Scope.READ)
    return Client().get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize(
    "path", ["search?q=x", "traces/" + "0" * 31 + "1", "facts/" + "A" * 20, "entities/bet"]
)
def test_a_problem_names_the_backlog(desk: Desk, path: str) -> None:
    answer = _ask(path)
    assert 503 == answer.status_code
    problem = answer.json()
    assert TOLD in problem["detail"]
    assert "cannot be reached" in problem["detail"]
    assert (2, 14) == (problem["pending_requests"], problem["pending_items"])


def test_a_page_names_the_backlog(desk: Desk) -> None:
    client = Client()
    client.force_login(User.objects.create(username="reader"))
    answer = client.get("/search?q=x")
    assert 503 == answer.status_code
    assert TOLD in answer.content.decode()


@pytest.mark.parametrize("path", ["coverage?range=1h", "senders"])
def test_what_waits_can_be_asked_without_the_store(desk: Desk, path: str) -> None:
    answer = _ask(path)
    assert 200 == answer.status_code
    assert (2, 14) == (answer.json()["pending_requests"], answer.json()["pending_items"])


def test_a_search_stands_where_only_the_senders_of_its_messages_cannot_be_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may lie on a day that nobody asked for."""
    asked: list[object] = []

    def away(facts: Sequence[Stored]) -> dict[str, int]:
        asked.append(facts)
        raise StoreUnavailable("a shard is lost", remedy="bring it back")

    monkeypatch.setattr(desk, "waits", away)
    assert {} == waits_shown((columns.COLUMNS["work"],), ())
    assert None is waits_shown((columns.COLUMNS["wait"],), ())
    assert [()] == asked


def test_the_figures_of_what_waits_are_told_while_the_store_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "reader", lambda: desk._store)
    monkeypatch.setattr(wiring, "inbox", lambda: desk._inbox)
    desk._inbox.account([Entry(sender="pay", what="quarantined", items=3, reason="store_refused")])
    desk._inbox.account([Entry(sender="pay", what="quarantined", items=-2, reason="store_refused")])
    token = keys.create("prometheus", Token.Scope.READ)
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert 200 == answer.status_code
    assert b"throughline_inbox_items 14.0" in answer.content
    assert b"throughline_store_" not in answer.content
    assert b'throughline_items_quarantined{reason="store_refused",sender="pay"} 1.0' in answer.content
    assert b'what="quarantined"' not in answer.content  # a counter never falls
