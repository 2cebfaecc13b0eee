"""How the facts of one write are parted into bulks, whatever they weigh."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future

import pytest

from tests.builders import span, stored
from timeline.errors import StoreUnavailable
from timeline.storable import Storable, id_of
from timeline.store.elasticsearch.batch import BULK_BYTES, PIECE, STORED, Answer, Batch, Known
from timeline.store.elasticsearch.document import Line


class _Sends:
    """Takes note of bulks, and says that all of them are stored."""

    def __init__(self, weights: Sequence[int]) -> None:
        self._weights = iter(weights)
        self.bulks: list[list[int]] = []

    def lines(self, facts: Iterable[Storable]) -> list[Line | str]:
        return [Line(fact, "2026.11.26", b"x" * next(self._weights)) for fact in facts]

    def away(self, day: str) -> StoreUnavailable | None:
        return None

    def submit(self, lines: Sequence[Line]) -> Future[list[Answer]]:
        self.bulks.append([len(line.data) for line in lines])
        answered: Future[list[Answer]] = Future()
        answered.set_result([STORED] * len(lines))
        return answered

    def send(self, lines: Sequence[Line]) -> list[Answer]:
        raise AssertionError("there are no variants")

    def known(self, ids: Sequence[str]) -> dict[str, Known]:
        raise AssertionError("nothing was there")


@pytest.mark.parametrize(
    "weights",
    [
        [1_000] * 12_000,
        [200_000] * 700,
        [BULK_BYTES * 2, *[100] * 600, BULK_BYTES * 2, 100],
        [BULK_BYTES - 1] * 5,
    ],
    ids=["usual", "heavy", "some too heavy", "as heavy as a bulk"],
)
def test_no_bulk_is_heavier_than_the_cluster_likes_but_for_one_line(weights: list[int]) -> None:
    sends = _Sends(weights)
    facts = [stored(span(1, number)) for number in range(1, len(weights) + 1)]
    reports = Batch(sends, facts).run()
    assert [id_of(fact) for fact in facts] == [report.id for report in reports if report is not None]
    assert weights == [weight for bulk in sends.bulks for weight in bulk]
    for bulk in sends.bulks:
        assert sum(bulk) - max(bulk) <= BULK_BYTES + PIECE, len(bulk)
    assert len(sends.bulks) <= 2 + 2 * sum(weights) // BULK_BYTES
