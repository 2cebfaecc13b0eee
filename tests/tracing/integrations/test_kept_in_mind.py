"""What integrations keep in mind of messages on their way is bounded, in number and in bytes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.trace import SpanContext

from tracing.delivery import Delivery
from tracing.headers import Headers
from tracing.integrations import _aio_pika_messages, _amqp, _pika_channels, _redis_entries

HEAVY = {"traceparent": f"00-{1:032x}-{1:016x}-01", "note": "x" * 50_000}


def pika_consumers(tags: range) -> Any:
    known: Any = _pika_channels.Known(None, None, None)  # type: ignore[arg-type]
    for tag in tags:
        method = SimpleNamespace(
            consumer_tag=str(tag), exchange="", routing_key="q", delivery_tag=1, redelivered=False
        )
        known.handed_over(f"q{tag}", method, SimpleNamespace(headers=None), b"", True)
    return known.queues


def aio_pika_consumers(tags: range) -> Any:
    known: Any = _aio_pika_messages.Known(None, None, None)
    for tag in tags:
        known.handed_over(SimpleNamespace(consumer_tag=str(tag), delivery_tag=1), f"q{tag}", True)
    return known.queues


@pytest.mark.parametrize("consumers", [pika_consumers, aio_pika_consumers])
def test_of_consumers_that_come_and_go_the_last_are_known(consumers: Any) -> None:
    queues = consumers(range(_amqp.MOST_OPEN + 5))
    assert _amqp.MOST_OPEN == len(queues)
    assert (None, "q5") == (queues.get("4"), queues["5"])


def test_a_delivery_that_waits_to_be_settled_is_kept_without_its_heap_of_headers() -> None:
    waiting = _amqp.Open()
    waiting.hold(1, Delivery(destination="q", headers=Headers(HEAVY), body=b"body"))
    (kept,) = waiting.settle(1, False)
    assert ({"traceparent"}, None) == (kept.headers.names(), kept.body)
    assert kept.creation() is not None


def test_entries_of_streams_are_kept_in_mind_while_there_is_room() -> None:
    known = _redis_entries.Entries()
    fields = HEAVY | {"ce_id": "7", "ce_a": "x" * 8_000, "ce_b": "x" * 8_000}
    found = [_redis_entries.delivery_of("s", (f"{number}-0", fields), "g") for number in range(3_000)]
    known.remember(found, None)
    known.remember(found[-1:], None)
    kept = [one for one in range(3_000) if known.find("s", "g", f"{one}-0")]
    assert 3_000 - 1 == kept[-1]
    size = found[0].headers.size
    assert 16 * 1024 * 1024 - size < len(kept) * size <= 16 * 1024 * 1024
    known.settle("s", "g", [f"{one}-0" for one in kept])
    known.remember(found, None)
    assert len(kept) == sum(1 for one in range(3_000) if known.find("s", "g", f"{one}-0"))


def test_how_a_message_came_is_kept_until_it_is_settled_or_asked_for_once() -> None:
    span = SpanContext(1, 2, is_remote=False)
    waiting = _amqp.Open()
    for tag in (1, 2, 3):
        waiting.hold(tag, Delivery(destination="q"))
        waiting.came(tag, span)
    assert [span, span] == [waiting.received(1), waiting.received(1)]
    waiting.settle(2, True)
    assert [None, None, span] == [waiting.received(tag) for tag in (1, 2, 3)]
    waiting.came(4, span)  # of a message that needs no acknowledgement
    assert [span, None] == [waiting.received(4), waiting.received(4)]
    for tag in range(5, _amqp.MOST_RECEIVED + 10):
        waiting.came(tag, span)
    assert _amqp.MOST_RECEIVED == len(waiting._received)
