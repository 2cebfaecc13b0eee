"""A store with the pages before it, for tests of what they say."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests import builders as b
from timeline import wiring
from timeline.domain import Stored
from timeline.inbox.inbox import Inbox
from timeline.reading.desk import Desk
from timeline.store.tantivy import TantivyStore


class House:
    """A store, and the pages before it."""

    def __init__(self, folder: Path) -> None:
        self.store = TantivyStore(folder / "index", writable=True)
        self.store.prepare()
        inbox = Inbox(folder / "inbox.sqlite3")
        self.desk = Desk(self.store, inbox, node="here", retention_days=14, rules=lambda _: {"bet.id": "bet"})
        self.user = User.objects.create(username="reader")
        self.client = Client()
        self.client.force_login(self.user)

    def write(self, *facts: Stored) -> None:
        """Store facts, visible at once."""
        self.store.write(facts, visible=True)

    def page(self, path: str, status: int = 200) -> str:
        """The text of a page."""
        answer = self.client.get(path)
        assert status == answer.status_code, answer.content[:2000]
        return answer.content.decode()

    def post(self, path: str, **fields: str) -> str:
        """Where a form leads to."""
        answer = self.client.post(path, fields)
        assert 302 == answer.status_code, answer.content[:2000]
        return answer.headers["Location"]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    made = House(tmp_path)
    monkeypatch.setattr(wiring, "reading", lambda: made.desk)
    yield made
    made.store.close()


def lately(number: int, **fields: Any) -> Stored:
    """A span of a few seconds ago."""
    now = time.time_ns()
    received = fields.pop("received", now - 2 * b.SECOND)
    return b.stored(
        b.span(number=number, start=now - 10 * b.SECOND + number * 1000, **fields), received=received
    )


def rows(page: str) -> list[str]:
    """The ids of the rows, in order."""
    return re.findall(r'<tr class="s\d+[^"]*" data-row data-id="([^"]+)"', page)
