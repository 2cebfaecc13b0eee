"""From one store to the other: every fact as it is, once, whatever interrupts it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests import builders as b
from tests.contract.conftest import ADAPTERS
from tests.contract.summaries import step, summary
from timeline import reindexing
from timeline.domain import Stored
from timeline.reindexing import Move, Slice, held, slices
from timeline.search.query import All, Query
from timeline.store.port import Store
from timeline.store.tantivy import schema

EVER = (1 << 63) - 1


Stores = tuple[Store, Store]
WAYS = [
    ("tantivy", "tantivy"),
    pytest.param(("tantivy", "elasticsearch"), marks=pytest.mark.server),
    pytest.param(("elasticsearch", "tantivy"), marks=pytest.mark.server),
]


@pytest.fixture(params=WAYS, ids=lambda way: " to ".join(way))
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """An empty source and an empty target, each way that people go."""
    one, two = (ADAPTERS[name](tmp_path / role) for role, name in zip("st", request.param, strict=True))
    yield one.store, two.store
    one.close()
    two.close()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Stores]:
    """Two folders."""
    one, two = (ADAPTERS["tantivy"](tmp_path / role) for role in "st")
    yield one.store, two.store
    one.close()
    two.close()


def _all(store: Store, workspace: str = "main") -> list[Stored]:
    return list(store.facts_of(Query(where=All(), workspace=workspace)))


def test_slices_are_in_order_bounded_and_hold_every_fact_once(
    stores: Stores,
) -> None:
    source, _ = stores
    source.write(list(b.facts(500)), visible=True)
    found = list(slices(source, "main", 0, EVER, most=60))
    assert 500 == sum(part.facts for part in found)
    assert all(0 < part.facts <= 60 for part in found)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))
    assert [] == list(slices(source, "other", 0, EVER))


def test_facts_received_in_one_moment_are_one_slice_however_many(
    stores: Stores,
) -> None:
    source, _ = stores
    source.write([b.stored(b.span(number=n), received=b.NOW) for n in range(40)], visible=True)
    assert [Slice(b.NOW, b.NOW + 1, 40)] == list(slices(source, "main", 0, EVER, most=10))


def test_every_fact_arrives_with_its_receipt_and_its_variants(
    stores: Stores,
) -> None:
    source, target = stores
    facts = list(b.facts(300))
    source.write(facts, visible=True)
    other = msgspec.structs.replace(facts[7].receipt, content="another")
    assert ["variant"] == [
        report.outcome
        for report in source.write([msgspec.structs.replace(facts[7], receipt=other)], visible=True)
    ]
    odd = b.stored(b.span(number=9999, start=None), received=b.NOW + 5)
    source.write([odd], visible=True)
    move = Move(source, target, "main")
    move.copy(0, EVER)
    assert (302, 0, 0) == (move.copied.stored, move.copied.already, move.copied.refused)
    assert _all(source) == _all(target)
    assert source.group(facts[7].receipt.identity) == target.group(facts[7].receipt.identity)
    assert [] == list(move.differences(0, EVER))


def test_twice_is_once(stores: Stores) -> None:
    source, target = stores
    source.write(list(b.facts(100)), visible=True)
    for stored, already in ((100, 0), (0, 100)):
        move = Move(source, target, "main")
        move.copy(0, EVER)
        assert (stored, already) == (move.copied.stored, move.copied.already)
    assert _all(source) == _all(target)


def test_each_slice_is_durable_before_it_is_told_and_the_rest_goes_on_from_there(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    monkeypatch.setattr(reindexing, "BATCH", 20)
    monkeypatch.setattr(reindexing, "slices", lambda *asked: slices(*asked, most=50))
    source, target = stores
    source.write(list(b.facts(400)), visible=True)
    reached: list[Slice] = []

    def done(part: Slice) -> None:
        reached.append(part)
        assert part.facts == held(target, "main", part.start, part.end)
        if len(reached) == 3:
            raise KilledError

    with pytest.raises(KilledError):
        Move(source, target, "main").copy(0, EVER, done=done)
    there = target.size()["facts"]
    assert 0 < there < 400
    move = Move(source, target, "main")
    move.copy(reached[-1].end, EVER)
    assert 400 - there == move.copied.stored
    assert _all(source) == _all(target)


def test_what_arrives_meanwhile_lies_ahead(stores: Stores) -> None:
    source, target = stores
    facts = list(b.facts(60))
    source.write(facts, visible=True)
    edge = b.NOW + b.MINUTE
    late = b.stored(b.span(number=777, start=b.NOW - b.DAY), received=edge + 1)  # of yesterday
    move = Move(source, target, "main")
    move.copy(0, edge, done=lambda _: source.write([late], visible=True) and None)
    assert 60 == target.size()["facts"]
    Move(source, target, "main").copy(edge, EVER)
    assert _all(source) == _all(target)


def test_workspaces_are_copied_apart(stores: Stores) -> None:
    source, target = stores
    source.write(
        [b.stored(b.span(number=n), workspace=name) for n in range(3) for name in ("main", "other")],
        visible=True,
    )
    Move(source, target, "other").copy(0, EVER)
    assert (0, 3) == (held(target, "main", 0, EVER), held(target, "other", 0, EVER))
    assert _all(source, "other") == _all(target, "other")


def test_what_the_target_lost_is_found_by_counting_and_copied_once_more(
    stores: Stores,
) -> None:
    source, target = stores
    facts = list(b.facts(100))
    source.write(facts, visible=True)
    target.write(facts[:40], visible=True)
    move = Move(source, target, "main")
    assert [] == list(move.differences(0, EVER))
    assert 60 == move.copied.stored
    assert _all(source) == _all(target)


def test_a_fact_that_the_target_refuses_is_a_difference_with_its_reason(
    embedded: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = embedded
    facts = list(b.facts(5))
    source.write(facts, visible=True)
    keep = schema.refusal
    monkeypatch.setattr(
        schema, "refusal", lambda one: "no room" if one.receipt.id == facts[2].receipt.id else keep(one)
    )
    move = Move(source, target, "main")
    move.copy(0, EVER)
    assert (4, 1, {facts[2].receipt.id: "no room"}) == (
        move.copied.stored,
        move.copied.refused,
        move.copied.reasons,
    )
    assert 5 == sum(part.facts for part in move.differences(0, EVER))


def test_summaries_go_along_with_steps_that_no_fact_tells_any_more(
    stores: Stores,
) -> None:
    source, target = stores
    source.write([b.stored(b.span(entities=b.entities("bet:1")))], visible=True)
    kept = summary("bet:1", steps=(step("Placed", expired=True), step("work")))
    source.put_summaries([kept], visible=True)
    newer = summary("bet:1", "newer", read=kept.read + 1)
    Move(source, target, "main").copy(0, EVER)
    assert [kept] == target.summaries(["bet:1"])
    target.put_summaries([newer], visible=True)
    Move(source, target, "main").copy(0, EVER)
    assert [newer] == target.summaries(["bet:1"])
