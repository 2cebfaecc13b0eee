"""A workspace sees, counts and loses its own facts only."""

import pytest

from tests import builders as b
from tests.contract.pair import WIDE, Pair, asking
from timeline.search.query import All, FieldIs, Not, Or

NAMES = ["main", "other", "main ", "", "Main", "ma\0in", "x" * 300, "*", "orders"]


def filled(pair: Pair) -> None:
    """Each workspace gets one fact more than the one before."""
    for number, name in enumerate(NAMES):
        pair.write([b.stored(b.span(number=n), workspace=name) for n in range(number + 1)])


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_is_of_the_asked_workspace_alone(pair: Pair, name: str) -> None:
    filled(pair)
    size = NAMES.index(name) + 1
    for where in (
        All(),
        FieldIs("service", "orders"),
        Or((All(), FieldIs("name", "x"))),
        Not(FieldIs("name", "x")),
    ):
        assert size == pair.agree(asking(where, workspace=name))
    query = asking(All(), workspace=name, window=WIDE)
    assert size == pair.store.count(query).value


def test_ids_and_identities_of_another_workspace_are_unknown(pair: Pair) -> None:
    own = b.stored(b.span(), workspace="one")
    pair.write([own, b.stored(b.span(number=2), workspace="two")])
    assert [own] == pair.store.get([own.receipt.id], workspace="one")
    assert [None] == pair.store.get([own.receipt.id], workspace="two")
    assert [own] == pair.store.group(own.receipt.identity, workspace="one")
    assert [] == pair.store.group(own.receipt.identity, workspace="two")


def test_expiry_takes_nothing_from_another_workspace(pair: Pair) -> None:
    filled(pair)
    assert (
        2
        == pair.model.expire(b.NOW + 1, workspace="other")
        == pair.store.expire(b.NOW + 1, workspace="other")
    )
    for name in NAMES:
        pair.agree(asking(All(), workspace=name))


def test_an_unknown_workspace_is_empty(pair: Pair) -> None:
    filled(pair)
    assert 0 == pair.agree(asking(All(), workspace="nobody"))
