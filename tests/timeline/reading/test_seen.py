"""Many ids over a store that holds more than the database knows of."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests import builders as b
from timeline.inbox.inbox import Inbox
from timeline.models import Node
from timeline.reading.desk import Desk
from timeline.search.query import Window
from timeline.store.tantivy import TantivyStore

HOUR = 3600 * 10**9


@pytest.mark.django_db
def test_what_came_before_this_database_began_has_been_seen_all_the_same(tmp_path: Path) -> None:
    now = time.time_ns()
    Node.objects.create(name="here", role="receiver", since=now - HOUR, started=now - HOUR, beat=now)
    before = b.stored(b.event(at=now - 3 * HOUR), received=now - 3 * HOUR)
    with TantivyStore(tmp_path / "index", writable=True) as store:
        store.prepare()
        store.write([before], visible=True)
        desk = Desk(
            store, Inbox(tmp_path / "inbox.sqlite3"), node="here", retention_days=14, rules=lambda _: {}
        )
        everything = desk.seen(["event-1", "event-2"])
        recorded = desk.seen(["event-1"], Window(start=now - HOUR, end=now - HOUR // 2))
    assert ["seen", "not_seen"] == [one.verdict.kind for one in everything.verdicts]
    assert before.fact.at == everything.verdicts[0].verdict.first
    assert ["not_seen"] == [one.verdict.kind for one in recorded.verdicts]
