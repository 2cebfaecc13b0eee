"""The story of an entity with more traces than can be followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import builders as b
from timeline.domain import Entity, Link
from timeline.inbox.inbox import Inbox
from timeline.reading import stories
from timeline.reading.coverage import CoverageReader
from timeline.store.tantivy import TantivyStore


@pytest.mark.django_db
def test_of_too_many_traces_those_of_the_first_facts_are_followed(tmp_path: Path) -> None:
    followed = stories._JOINS
    inbox = Inbox(tmp_path / "inbox.sqlite3")
    coverage = CoverageReader(
        node="a", backlog=inbox.backlog, settling=inbox.settling, retention_days=14, lag=0
    )
    shown = [
        b.span(trace=n, start=b.NOW + n, entities=b.entities("match:1")) for n in range(1, followed + 101)
    ]
    linking = [
        b.span(trace=10_000 + n, start=b.NOW + n, links=(Link(ref=one.ref),))
        for n, one in enumerate(shown, 1)
    ]
    with TantivyStore(tmp_path / "index", writable=True) as store:
        store.prepare()
        store.write([b.stored(one) for one in (*shown, *linking)], visible=True)
        story = stories.Stories(store, coverage, lambda workspace: {}).entity(Entity("match", "1"))
    assert story is not None
    assert len(shown) == len(story.facts)
    assert tuple(sorted(one.ref.trace_id for one in linking[:followed])) == story.timeline.linked
