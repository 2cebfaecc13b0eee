"""What the drain leaves in the database, whatever the facts hold and however many nodes write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from tests.builders import span, stored
from timeline import records
from timeline.errors import QueueUnavailable
from timeline.inbox.inbox import Inbox
from timeline.indexing import Drain
from timeline.ingest.request import Accepted, BadItem
from timeline.models import Quarantined, Sender
from timeline.storable import runs
from timeline.store.tantivy import TantivyStore

pytestmark = pytest.mark.django_db
NOW = 1_790_000_000_000_000_000
HOSTILE = "shop\0\N{GRINNING FACE}" + "x" * 500


def _request(name: str = "r1", received: int = NOW) -> Accepted:
    return Accepted(
        id=name, signal="traces", content_encoding="", headers={}, body=b"", received=received, items=1
    )


def _keep(service: str, received: int = NOW, *, sampled: bool = False, ahead: int = 0) -> None:
    fact = span(service=service, start=received + ahead - 1, end=received + ahead)
    found = stored(fact, received=received, sampled=sampled)
    request = _request(received=received)
    records.keep(kept=[], again=[], partly=[], new=[records.New(run, request, True) for run in runs([found])])


def test_text_that_no_column_could_hold_is_kept_as_far_as_it_goes() -> None:
    _keep(HOSTILE)
    assert ["shop\N{REPLACEMENT CHARACTER}\N{GRINNING FACE}"] == [
        s[:6] for s in Sender.objects.values_list("service", flat=True)
    ]
    _keep(HOSTILE)
    assert [2] == list(Sender.objects.values_list("facts", flat=True))


def test_a_poison_item_is_kept_whatever_its_message_holds() -> None:
    item = BadItem(position=0, reason="undecodable", message=HOSTILE * 10, data=b"\0\xff")
    records.keep(kept=[records.Kept(_request(), item, replayable=False)], again=[], partly=[], new=[])
    (row,) = Quarantined.objects.all()
    assert (b"\0\xff", 1000) == (bytes(row.data), len(row.message))


def test_what_is_known_of_a_sender_never_goes_back() -> None:
    _keep("shop", NOW + 10, sampled=True, ahead=500)
    _keep("shop", NOW)
    row = Sender.objects.get()
    assert (2, NOW, NOW + 10, 500, NOW + 10) == (row.facts, row.first, row.last, row.ahead, row.sampled_at)


def _away(*arguments: Any) -> None:
    raise OperationalError("the server closed the connection unexpectedly")


def test_a_database_that_is_away_when_rules_are_asked_for_makes_nothing_poison(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox.sqlite3")
    store = TantivyStore(tmp_path / "index", writable=True)
    store.prepare()
    body = b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "hello"}}]}]}]}'
    inbox.accept([
        Accepted(id="r", signal="logs", content_encoding="", headers={"content-type": "application/json"}, body=body,
                 received=NOW, digest=b"r", items=1)
    ])  # fmt: skip
    drain = Drain(inbox, store, records.rules)
    records._rows.cache_clear()
    with connection.execute_wrapper(_away), pytest.raises(QueueUnavailable):
        drain.run()
    assert (0, 1) == (Quarantined.objects.count(), inbox.backlog().requests)
    assert 1 == drain.run()
    assert (0, 1) == (Quarantined.objects.count(), store.size()["facts"])
    store.close()
