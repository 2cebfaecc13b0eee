"""What can never be stored is refused with its reason; its neighbours are stored."""

import pytest

from tests import builders as b
from tests.contract.pair import asking
from timeline.search.query import All
from timeline.store.port import Store


@pytest.mark.parametrize(
    "bad",
    [
        b.stored(b.span(attributes={"text": "half a pair \ud800"})),
        b.stored(b.span(attributes={"number": 1 << 80})),
        b.stored(b.span(attributes={"thing": object()}), content="made up"),
        b.stored(b.span(), tie=1 << 70),
        b.stored(b.span(), received=1 << 70),
    ],
    ids=["surrogate", "huge integer", "no value", "tie", "received"],
)
def test_a_fact_that_cannot_be_kept_is_refused_and_its_neighbours_are_stored(store: Store, bad) -> None:
    before, after = b.stored(b.span(number=2)), b.stored(b.span(number=3))
    reports = store.write([before, bad, after], visible=True)
    assert ["stored", "refused", "stored"] == [report.outcome for report in reports]
    assert reports[1].reason
    assert 2 == store.count(asking(All())).value
