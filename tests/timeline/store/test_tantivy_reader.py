"""How the reader finds the newest of very many, and streams few."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests import builders as b
from tests.contract.pair import ORDERS, Pair, asking, walk
from timeline.search.query import All, AttributeIs, FieldIs, Window
from timeline.store.tantivy import TantivyStore, reader


@pytest.mark.parametrize("crowd", [0, 40, 300])
def test_looking_near_the_end_first_changes_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crowd: int
) -> None:
    monkeypatch.setattr(reader, "MANY", 0)
    random_ = random.Random(crowd)
    end = b.NOW + b.HOUR
    times = [b.NOW + random_.randrange(b.HOUR) for _ in range(300)]
    times += [end - 1 - random_.randrange(1_000) // 10 for _ in range(crowd)]  # ties at the very end
    with TantivyStore(tmp_path, writable=True) as store:
        pair = Pair(store)
        pair.write(
            [
                b.stored(b.span(number=n, start=at, attributes={"few": n % 90 == 0}), tie=n % 3)
                for n, at in enumerate(times)
            ]
        )
        for where in (All(), FieldIs("service", "orders"), AttributeIs("few", "true")):
            for on in ("event", "received", "either"):
                query = asking(where, window=Window(start=b.NOW, end=end, on=on))
                for order in ORDERS:
                    expected = pair.model.rows(query, order)
                    assert expected == walk(store, query, limit=23, order=order)


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 14, 15])
def test_a_stream_ends_where_its_parts_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(reader, "STREAM", 7)
    with TantivyStore(tmp_path, writable=True) as store:
        store.prepare()
        facts = [b.stored(b.span(number=n, start=b.NOW + n // 2)) for n in range(count)]
        store.write(facts)
        found = [stored.receipt.id for stored in store.facts_of(asking(All()))]
        assert count == len(set(found)) == len(found)
