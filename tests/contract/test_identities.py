"""One identity may have facts at several times: each is found by its own id, all by the identity."""

import pytest

from tests import builders as b
from tests.contract.pair import Pair, asking
from timeline.domain import Stored
from timeline.search.query import FieldIs, FieldStarts


def times_of_one_span() -> list[Stored]:
    """The same span at three times, at none, and at one that no calendar has; one of another span."""
    starts = [b.NOW, b.NOW + b.SECOND, b.NOW + 90 * b.SECOND, None, 5]
    facts = [b.stored(b.span(number=1, start=start)) for start in starts]
    return [*facts, b.stored(b.span(number=2, start=b.NOW))]


def test_each_time_is_found_by_its_own_id(pair: Pair) -> None:
    facts = times_of_one_span()
    pair.write(facts)
    ids = list(dict.fromkeys(stored.receipt.id for stored in facts))
    assert ids == [stored.receipt.id for stored in pair.store.get(ids) if stored is not None]
    for fact_id in ids:
        assert 1 == pair.agree(asking(FieldIs("id", fact_id)))


@pytest.mark.parametrize("size", [1, 4, 6, 8, 9, 14, 20])
def test_ids_are_found_by_how_they_start(pair: Pair, size: int) -> None:
    facts = times_of_one_span()
    pair.write(facts)
    for stored in facts:
        assert pair.agree(asking(FieldStarts("id", stored.receipt.id[:size])))


@pytest.mark.parametrize("prefix", ["!", "AaIK!", "A A", "\0", "AaIKAAAA\1", "A" * 40])
def test_what_no_id_starts_with_finds_nothing(pair: Pair, prefix: str) -> None:
    pair.write(times_of_one_span())
    assert 0 == pair.agree(asking(FieldStarts("id", prefix)))
    assert 0 == pair.agree(asking(FieldIs("id", prefix)))


def test_all_times_and_variants_are_found_by_the_identity(pair: Pair) -> None:
    facts = times_of_one_span()
    pair.write(facts)
    pair.write([b.stored(b.span(number=1, start=b.NOW, attributes={"other": "content"}))])
    identity = facts[0].receipt.identity
    found = pair.agree(asking(FieldIs("identity", identity)))
    assert found == len(pair.store.group(identity))
    assert found > len({stored.receipt.id for stored in facts[:5]})
    for size in (1, 11, 12, 13, 16):
        assert found <= pair.agree(asking(FieldStarts("identity", identity[:size])))


def test_expiring_some_times_of_an_identity_keeps_the_others(pair: Pair) -> None:
    facts = [b.stored(b.span(number=1, start=b.NOW + day * 86_400 * b.SECOND)) for day in range(3)]
    pair.write(facts)
    pair.store.expire(b.NOW + 86_400 * b.SECOND)
    assert [None, *(stored.receipt.id for stored in facts[1:])] == [
        stored and stored.receipt.id for stored in pair.store.get([one.receipt.id for one in facts])
    ]
