"""Hops of many messages, added up by who sends, through what, and who takes."""

from __future__ import annotations

import msgspec
import pytest

from tests import builders as b
from timeline.domain import Message, Stored
from timeline.rebuild.flows import Flow, Spread, flows, spread

MS = 1_000_000
S = 1_000 * MS


def _send(number: int, *, key: str = "k") -> Stored:
    at = b.NOW + number * S
    message = Message(
        system="kafka", operation="send", destination="orders", partition="0", offset=number, key=key
    )
    return b.stored(
        b.span(
            number, 1, service="shop", kind="producer", start=at, end=at + MS, status="unset", message=message
        )
    )


def _take(
    number: int, *, wait: int = 10 * MS, work: int = 5 * MS, group: str = "bank", **fields: object
) -> Stored:
    at = b.NOW + number * S + MS + wait
    message = Message(
        system="kafka", operation="process", destination="orders", partition="0", offset=number, group=group
    )
    span = b.span(
        number, 2, service=group, kind="consumer", parent=b.span_id(1), start=at, end=at + work, message=message,
        **{"status": "unset", **fields},
    )  # fmt: skip
    return b.stored(span)


def _one(found: tuple[Flow, ...]) -> Flow:
    assert 1 == len(found), found
    return found[0]


def test_deliveries_are_counted_with_their_waits_and_work() -> None:
    facts = [fact for number in range(10) for fact in (_send(number), _take(number, wait=(number + 1) * MS))]
    flow = _one(flows(facts))
    assert ("shop", "orders", "bank", "bank") == (flow.producer, flow.destination, flow.consumer, flow.group)
    assert (10, 0, 0, 0) == (flow.taken, flow.failed, flow.again, flow.open)
    assert Spread(p50=5 * MS, p95=10 * MS, p99=10 * MS) == flow.wait
    assert Spread(p50=5 * MS, p95=5 * MS, p99=5 * MS) == flow.work
    assert pytest.approx(1.0, rel=0.01) == flow.rate
    assert facts[-1].receipt.id == flow.slowest


def test_failures_are_counted_and_shown() -> None:
    facts = [_send(1), _take(1), _send(2), failed := _take(2, status="error")]
    flow = _one(flows(facts))
    assert (2, 1, failed.receipt.id) == (flow.taken, flow.failed, flow.failure)


def test_what_a_known_group_has_not_taken_is_open() -> None:
    facts = [_send(1), _take(1), oldest := _send(2), _send(3)]
    flow = _one(flows(facts))
    assert (1, 2, oldest.receipt.id) == (flow.taken, flow.open, flow.waiting)
    assert b.NOW + 2 * S + MS == flow.oldest
    assert 0 == _one(flows(facts, covered=False)).open


def test_what_could_not_be_sent_is_not_said_to_wait() -> None:
    lost = b.stored(msgspec.structs.replace(_send(2).fact, status="error"))
    assert 0 == _one(flows([_send(1), _take(1), lost])).open


def test_each_group_has_a_flow_of_its_own() -> None:
    mail = msgspec.structs.replace(_take(1, group="mail").fact, ref=b.ref(1, 3))
    facts = [_send(1), _take(1), b.stored(mail)]
    assert ["bank", "mail"] == [flow.group for flow in flows(facts)]


def test_what_was_sent_before_the_sample_is_left_out_where_it_is_cut() -> None:
    facts = [_take(1), _send(2), _take(2)]
    assert ["", "shop"] == [flow.producer for flow in flows(facts)]
    assert ["shop"] == [flow.producer for flow in flows(facts, cut=True)]


def test_a_spread_is_by_nearest_rank() -> None:
    assert spread([]) is None
    assert Spread(p50=1, p95=1, p99=1) == spread([1])
    assert Spread(p50=50, p95=95, p99=99) == spread(list(range(100, 0, -1)))
