"""Retention: what is older goes, is counted, and is on record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import builders as b
from tests.contract.summaries import summary
from timeline import tasks, wiring
from timeline.models import Audit
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


def test_an_entity_goes_from_the_cohorts_with_its_last_fact(store: TantivyStore) -> None:
    now = time.time_ns()
    for name, age in (("bet:old", 15), ("bet:new", 13)):
        store.put_summaries([summary(name, quiet=now - age * b.DAY)])
    tasks.expire()
    assert [None, "bet:new"] == [one and one.entity for one in store.summaries(["bet:old", "bet:new"])]
    assert 0 == Audit.objects.count()
