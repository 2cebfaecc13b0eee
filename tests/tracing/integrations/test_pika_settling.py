"""How pika's messages were settled: on their process spans where it is the usual, else by a span."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.tracing.integrations.pika_bench import ack, channel, handle, instrumented, queue
from tracing.integrations import pika as traced
from tracing.testing import Capture

__all__ = ["channel", "instrumented", "queue"]
pytestmark = [pytest.mark.server, pytest.mark.usefixtures("instrumented")]


def test_settling_many_at_once_is_one_span_linked_to_each(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    for number in range(5):
        channel.basic_publish("", queue, str(number).encode())
    last = [channel.basic_get(queue)[0] for _ in range(5)][-1]
    assert last is not None
    channel.basic_ack(last.delivery_tag, multiple=True)
    capture.assert_linked(f"ack {queue}", to=f"send {queue}")
    assert 5 == capture.attributes(f"ack {queue}")["messaging.batch.message_count"]


def test_an_acknowledgement_that_is_not_the_usual_has_a_span_of_its_own(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    def late(given: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        with traced.process(given, method, properties, body):
            """The work is done here."""
        ack(given, method)

    def with_those_before(given: BlockingChannel, method: Any, *_: Any) -> None:
        given.basic_ack(method.delivery_tag, multiple=True)

    def of_another(given: BlockingChannel, method: Any, *_: Any) -> None:
        waiting.append(method)
        if len(waiting) == 2:
            ack(given, waiting[0])
            ack(given, waiting[1])

    waiting: list[Any] = []
    for work, count in ((late, 1), (with_those_before, 1), (of_another, 2)):
        capture.clear()
        for _ in range(count):
            channel.basic_publish("", queue, b"{}")
        handle(channel, queue, work, count)
        works = [span.attributes or {} for span in capture.spans(f"process {queue}")]
        assert [None] * (count - 1) + ["ack" if count > 1 else None] == [
            one.get("throughline.message.settled") for one in works
        ]
        assert capture.spans(f"send {queue}")[0].context.span_id in {
            link.context.span_id for link in capture.span(f"ack {queue}").links
        }


def test_an_acknowledgement_that_fails_has_a_span_with_the_error(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    def work(given: BlockingChannel, method: Any, *_: Any) -> None:
        given.close()
        ack(given, method)

    channel.basic_publish("", queue, b"{}")
    with pytest.raises(pika.exceptions.ChannelWrongStateError):
        handle(channel, queue, work)
    assert "ChannelWrongStateError" == capture.attributes(f"ack {queue}")["error.type"]
    assert "throughline.message.settled" not in capture.attributes(f"process {queue}")
