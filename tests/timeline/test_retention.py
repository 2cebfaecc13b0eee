"""Retention: what is older goes, is counted, and is on record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import builders as b
from tests.contract.summaries import summary
from timeline import keys, tasks, wiring
from timeline.inbox.inbox import Inbox
from timeline.ingest.request import Accepted
from timeline.models import Audit, Token
from timeline.search.query import All, Query
from timeline.store.tantivy import TantivyStore

pytestmark = pytest.mark.django_db


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TantivyStore]:
    with TantivyStore(tmp_path, writable=True) as opened:
        monkeypatch.setattr(wiring, "writer", lambda: opened)
        yield opened


def test_facts_older_than_the_retention_go_and_the_audit_says_how_many(store: TantivyStore) -> None:
    now = time.time_ns()
    for number, age in enumerate((20, 15, 15, 13, 0)):
        at = now - age * b.DAY
        store.write([b.stored(b.span(number=number, start=at), received=at)])
    tasks.expire()
    assert 2 == store.count(Query(where=All())).value
    (record,) = Audit.objects.all()
    assert ("retention", "expire", 3) == (record.who, record.what, record.rows)


def test_every_workspace_is_kept_as_long_as_the_others(store: TantivyStore) -> None:
    old = time.time_ns() - 15 * b.DAY
    for name in ("main", "shop"):
        store.write([b.stored(b.span(start=old), received=old, workspace=name)])
    keys.create("shop", Token.Scope.INGEST, workspace="shop")
    tasks.expire()
    assert 0 == store.size()["facts"]
    assert [1, 1] == list(Audit.objects.filter(what="expire").values_list("rows", flat=True))


def test_an_entity_goes_from_the_cohorts_with_its_last_fact(store: TantivyStore) -> None:
    now = time.time_ns()
    for name, age in (("bet:old", 15), ("bet:new", 13)):
        store.put_summaries([summary(name, quiet=now - age * b.DAY)])
    tasks.expire()
    assert [None, "bet:new"] == [one and one.entity for one in store.summaries(["bet:old", "bet:new"])]
    assert 0 == Audit.objects.count()


def test_the_task_summarises_what_was_touched_and_gives_way_to_storing(
    store: TantivyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox(tmp_path / "inbox.sqlite3")
    monkeypatch.setattr(wiring, "inbox", lambda: inbox)
    store.write([b.stored(b.span(entities=b.entities("bet:1")))])
    inbox.touch([("main", "bet:1")])
    request = Accepted(
        id="a", signal="logs", content_encoding="", headers={}, body=b"", received=1, digest=b"a"
    )
    with monkeypatch.context() as patch:
        inbox.accept([request])
        patch.setattr(tasks, "_SUMMARIES", 0.0)  # used up
        tasks.summarise()
        assert [None] == store.summaries(["bet:1"])
        lease, _ = inbox.claim()
        inbox.release(lease, {"a": []})
        tasks.summarise()
    assert [1] == [one and one.facts for one in store.summaries(["bet:1"])]
    assert 0 == inbox.behind().touches
