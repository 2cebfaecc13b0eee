"""Other content of a known identity is kept apart, counted apart, and found."""

from itertools import permutations

from tests import builders as b
from tests.contract.conftest import Opened
from tests.contract.pair import Pair, asking
from timeline.domain import Stored
from timeline.ingest.identity import variant_id
from timeline.search.query import All, AttributeIs, FieldIs, Window


def versions(*names: str) -> list[Stored]:
    """One span with a different content for each name."""
    return [b.stored(b.span(attributes={"version": name}), request=f"from-{name}") for name in names]


def test_other_content_under_a_known_id_becomes_a_variant_of_its_own_id(pair: Pair) -> None:
    one, two = versions("one", "two")
    pair.write([one])
    (report,) = pair.write([two])
    assert "variant" == report.outcome
    assert variant_id(two) == report.id
    (kept,) = pair.store.get([report.id])
    assert kept is not None
    assert kept.receipt.variant
    assert two.fact == kept.fact


def test_the_same_variant_again_is_already_stored(pair: Pair) -> None:
    one, two = versions("one", "two")
    pair.write([one])
    pair.write([two])
    (report,) = pair.write([two])
    assert ("already", "from-two") == (report.outcome, report.request)


def test_two_contents_in_one_batch_come_one_after_the_other(pair: Pair) -> None:
    reports = pair.write(versions("one", "two", "one", "two", "three"))
    assert ["stored", "variant", "already", "already", "variant"] == [r.outcome for r in reports]
    assert 3 == pair.agree(asking(All()))


def test_variants_are_left_out_of_counts_and_found_by_what_they_say(pair: Pair) -> None:
    pair.write(versions("one", "two", "three"))
    count = pair.store.count(asking(All()))
    assert (1, 2) == (count.value, count.variants)
    assert 1 == pair.agree(asking(AttributeIs("version", "two")))
    window = Window(start=b.NOW - b.SECOND, end=b.NOW + b.SECOND)
    (bucket,) = pair.store.histogram(asking(All(), window=window), interval=2 * b.SECOND)
    assert 1 == bucket.count
    (facet,) = pair.store.facets(asking(All()), ["version"])
    assert 1 == len(facet.values)


def test_rows_of_variants_are_marked(pair: Pair) -> None:
    pair.write(versions("one", "two"))
    rows = pair.store.search(asking(FieldIs("service", "orders"))).rows
    assert [False, True] == sorted(row.variant for row in rows)


def test_a_group_holds_the_same_contents_whatever_came_first(pair: Pair) -> None:
    contents = set()
    for place, order in enumerate(permutations(range(3))):
        workspace = f"w{place}"
        spans = [b.span(attributes={"version": str(number)}) for number in order]
        for fact in spans:
            pair.write([b.stored(fact, workspace=workspace)])
        identity = b.identity_of(spans[0], workspace)
        expected = pair.model.group(identity, workspace=workspace)
        actual = pair.store.group(identity, workspace=workspace)
        assert expected == actual
        contents.add(tuple(stored.receipt.content for stored in actual))
    assert 1 == len(contents)


def test_variants_are_still_told_apart_after_opening_anew(opened: Opened) -> None:
    one, two = versions("one", "two")
    opened.store.write([one, two], visible=True)
    reports = opened.reopen().write([two, one], visible=True)
    assert ["already", "already"] == [report.outcome for report in reports]
