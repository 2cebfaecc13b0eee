"""Giving disk back while the engine merges."""

import time
from pathlib import Path

import pytest

from tests import builders as b
from timeline.domain import Stored
from timeline.store.tantivy import TantivyStore, reclaim, writer

EIGHT = 8  # segments that the engine begins to merge


def test_what_a_running_merge_makes_of_dead_segments_is_emptied_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merge that ends between looking for dead segments and emptying them leaves nothing behind."""
    facts = list(b.facts(EIGHT * 400))
    last = facts[-800:]
    moment = last[0].fact.at
    assert moment is not None
    move = writer.Writer._move

    def once_merged(self: writer.Writer, living: list[Stored]) -> None:
        give_up = time.monotonic() + 30
        while len(reclaim._segments(tmp_path)) >= EIGHT and time.monotonic() < give_up:
            time.sleep(0.01)
        move(self, living)

    monkeypatch.setattr(writer.Writer, "_move", once_merged)
    with TantivyStore(tmp_path, writable=True) as store:
        store.prepare()
        for start in range(EIGHT):
            store.write(facts[start::EIGHT])
        assert len(facts) - len(last) == store.expire(moment)
        assert 0 == sum(segment.dead for segment in reclaim._segments(tmp_path))
        assert last == store.get([stored.receipt.id for stored in last])
