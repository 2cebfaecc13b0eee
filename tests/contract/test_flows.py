"""What flows, and one destination looked at closely, on every store."""

from pathlib import Path

import pytest

from tests import builders as b
from timeline.domain import Message, Stored
from timeline.inbox.inbox import Inbox
from timeline.reading.desk import Desk
from timeline.search.query import Window
from timeline.store.port import Store

pytestmark = pytest.mark.django_db
EVER = Window(start=0, end=b.NOW + 10**15)


def _fact(number: int, span: int, operation: str, service: str, **more: object) -> Stored:
    at = b.NOW + number * 1_000_000 + span
    message = Message(
        system="kafka", operation=operation, destination="orders", key=f"k{number // 2}", partition=str(number % 3),
        offset=number, body_size=100 + number, schema="order/1", group=more.pop("group", None),  # type: ignore[arg-type]
    )  # fmt: skip
    kind = "producer" if operation == "send" else "consumer"
    attributes = {"messaging.destination.name": "orders"}
    return b.stored(
        b.span(number, span, service=service, version="1.2", kind=kind, start=at, end=at + 10, message=message,
               attributes=attributes, **more)
    )  # fmt: skip


@pytest.fixture
def told(store: Store, tmp_path: Path) -> Desk:
    """Six messages of a shop, each taken by a bank."""
    facts = []
    for number in range(1, 7):
        facts.append(_fact(number, 1, "send", "shop"))
        facts.append(_fact(number, 2, "process", "bank", parent=b.span_id(1), group="bank"))
    store.write(facts, visible=True)
    inbox = Inbox(tmp_path / "inbox.sqlite3")
    return Desk(store, inbox, node="here", retention_days=14, rules=lambda _: {})


def test_flows_of_a_range(told: Desk) -> None:
    answer = told.flows(EVER)
    (flow,) = answer.flows
    assert ("shop", "orders", "bank", 6) == (flow.producer, flow.destination, flow.consumer, flow.taken)
    assert (("orders", 12),) == answer.destinations
    assert 12 == answer.looked_at
    assert () == told.flows(Window(start=0, end=b.NOW)).flows


def test_one_destination(told: Desk) -> None:
    answer = told.destination("orders", EVER)
    assert answer is not None
    assert ("0", "1", "2") == tuple(part.name for part in answer.partitions)
    assert [2, 2, 2] == [part.messages for part in answer.partitions]
    assert ("k1", "k2") == tuple(key for key, _ in answer.torn)
    assert {("process", "bank"), ("send", "shop")} == {
        (lane.operation, lane.service) for lane in answer.lanes
    }
    assert (6, 106) == (sum(size.count for size in answer.sizes), max(size.most for size in answer.sizes))
    assert ("kafka",) == answer.systems
    assert told.destination("nowhere", EVER) is None
