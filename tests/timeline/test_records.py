"""What the drain leaves in the database, whatever the facts hold and however many nodes write."""

from __future__ import annotations

import pytest

from tests.builders import span, stored
from timeline import records
from timeline.ingest.request import Accepted, BadItem
from timeline.models import Quarantined, Sender

pytestmark = pytest.mark.django_db
NOW = 1_790_000_000_000_000_000
HOSTILE = "shop\0\N{GRINNING FACE}" + "x" * 500


def _request(name: str = "r1", received: int = NOW) -> Accepted:
    return Accepted(
        id=name, signal="traces", content_encoding="", headers={}, body=b"", received=received, items=1
    )


def _keep(service: str, received: int = NOW, *, sampled: bool = False, ahead: int = 0) -> None:
    fact = span(service=service, start=received + ahead - 1, end=received + ahead)
    found = stored(fact, received=received, sampled=sampled)
    records.keep(kept=[], again=[], partly=[], new=[(found, _request(received=received), True)])


def test_text_that_no_column_could_hold_is_kept_as_far_as_it_goes() -> None:
    _keep(HOSTILE)
    assert ["shop\N{REPLACEMENT CHARACTER}\N{GRINNING FACE}"] == [
        s[:6] for s in Sender.objects.values_list("service", flat=True)
    ]
    _keep(HOSTILE)
    assert [2] == list(Sender.objects.values_list("facts", flat=True))


def test_a_poison_item_is_kept_whatever_its_message_holds() -> None:
    item = BadItem(position=0, reason="undecodable", message=HOSTILE * 10, data=b"\0\xff")
    records.keep(kept=[(_request(), item)], again=[], partly=[], new=[])
    (row,) = Quarantined.objects.all()
    assert (b"\0\xff", 1000) == (bytes(row.data), len(row.message))


def test_what_is_known_of_a_sender_never_goes_back() -> None:
    _keep("shop", NOW + 10, sampled=True, ahead=500)
    _keep("shop", NOW)
    row = Sender.objects.get()
    assert (2, NOW, NOW + 10, 500, NOW + 10) == (row.facts, row.first, row.last, row.ahead, row.sampled_at)
