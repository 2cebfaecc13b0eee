"""A million distinct attribute keys are taken, searchable, and add no field."""

import pytest

from tests import builders as b
from tests.contract.conftest import Opened
from tests.contract.pair import asking
from timeline.search.query import AttributeBetween, AttributeExists, AttributeIs


def with_keys(number: int):
    """A span with ten keys that no other has."""
    keys = {f"key.{number * 10 + n}": n if n % 2 else f"value-{number}" for n in range(10)}
    return b.stored(b.span(number=number, start=b.NOW + number, attributes=keys))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_million_distinct_keys_add_no_field_and_are_found(opened: Opened) -> None:
    store = opened.store
    store.write([with_keys(0)])
    before = opened.fields()
    for start in range(1, 100_001, 5_000):
        reports = store.write([with_keys(n) for n in range(start, start + 5_000)], visible=True)
        assert {"stored"} == {report.outcome for report in reports}
    assert before == opened.fields()
    for number in (0, 1, 77_777, 100_000):
        key = number * 10
        expected = [with_keys(number).receipt.id]
        for where in (
            AttributeIs(f"key.{key}", f"value-{number}"),
            AttributeExists(f"key.{key + 1}"),
            AttributeBetween(f"key.{key + 3}", 2.5, 3.5),
        ):
            assert expected == [row.id for row in store.search(asking(where)).rows]
