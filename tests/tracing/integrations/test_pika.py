"""pika on a real RabbitMQ, blocking channels."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pika
import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import UnroutableError

from tests.servers.rabbitmq import RabbitMQ
from tests.tracing.integrations.brokers import AMQP_POISON
from tests.tracing.integrations.pika_bench import ack, channel, handle, instrumented, queue, settled
from tracing import Options, entity, envelope
from tracing.integrations import pika as traced
from tracing.testing import Capture

__all__ = ["channel", "instrumented", "queue"]
pytestmark = [pytest.mark.server, pytest.mark.usefixtures("instrumented")]
PERSISTENT = 2


def test_a_callback_runs_inside_a_span_that_is_the_senders_child(
    capture: Capture, channel: BlockingChannel, queue: str, rabbitmq: RabbitMQ
) -> None:
    event = envelope.new("OrderPlaced", "/shop", subject="order/7")
    seen: list[Any] = []
    with entity("order", "7"):
        traced.publish(channel, "", queue, b"{}", pika.BasicProperties(headers={"n": 3}), event=event)

    def work(*given: Any) -> None:
        seen.append((envelope.current(), given[2].headers["n"], given[2].content_type))
        ack(*given)

    handle(channel, queue, work)
    capture.assert_child(f"process {queue}", of=f"send {queue}")
    capture.assert_linked(f"process {queue}", to=f"send {queue}")
    capture.assert_one_trace()
    assert [(event.id, 3, "application/json")] == [(one.id, n, kind) for one, n, kind in seen]
    send, process = capture.attributes(f"send {queue}"), capture.attributes(f"process {queue}")
    for attributes in (send, process):
        assert ("rabbitmq", event.id, 2) == tuple(
            attributes[f"messaging.{name}"] for name in ("system", "message.id", "message.body.size")
        )
        assert rabbitmq.port == attributes["server.port"]
    assert 1 == process["throughline.message.attempt"]
    assert "7" == process["throughline.context.order"]
    assert ("ack", True) == settled(process)
    assert 2 == len(capture.spans())


def test_a_callback_that_fails_ends_its_span_as_failed_and_raises(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    def work(*_: Any) -> None:
        raise TimeoutError("10 s")

    channel.basic_publish("", queue, b"{}")
    with pytest.raises(TimeoutError):
        handle(channel, queue, work)
    assert StatusCode.ERROR is capture.span(f"process {queue}").status.status_code
    assert "TimeoutError" == capture.attributes(f"process {queue}")["error.type"]
    assert not trace.get_current_span().get_span_context().is_valid


def test_the_body_of_a_consume_loop_is_the_handler(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    for number in range(3):
        channel.basic_publish("", queue, str(number).encode())
    current = []
    for method, _, _ in channel.consume(queue, inactivity_timeout=0.2):
        if method is None:
            assert not trace.get_current_span().get_span_context().is_valid
            break
        current.append(trace.get_current_span().get_span_context().span_id)
        channel.basic_ack(method.delivery_tag)
    assert not trace.get_current_span().get_span_context().is_valid
    sends, works = (capture.spans(f"{name} {queue}") for name in ("send", "process"))
    assert [one.context.span_id for one in works] == current
    assert [one.context.span_id for one in sends] == [one.parent and one.parent.span_id for one in works]
    assert [("ack", True)] * 3 == [settled(one.attributes or {}) for one in works]
    assert 6 == len(capture.spans())


def test_leaving_a_consume_loop_ends_the_span_of_the_message_in_hand(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    channel.basic_publish("", queue, b"{}")
    for method, _, _ in channel.consume(queue):
        assert [] == capture.spans(f"process {queue}")
        channel.basic_ack(method.delivery_tag)
        break
    channel.cancel()
    assert capture.span(f"process {queue}")
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_message_of_basic_get_has_a_receive_span_that_its_handling_links(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    assert (None, None, None) == channel.basic_get(queue)
    channel.basic_publish("", queue, b"{}")
    method, properties, body = channel.basic_get(queue)
    with traced.process(channel, method, properties, body, queue=queue):
        channel.basic_ack(method.delivery_tag)
    capture.assert_linked(f"get {queue}", to=f"send {queue}")
    capture.assert_linked(f"process {queue}", to=f"get {queue}")
    capture.assert_child(f"process {queue}", of=f"send {queue}")
    assert "messaging.batch.message_count" not in capture.attributes(f"get {queue}")
    assert ("ack", True) == settled(capture.attributes(f"process {queue}"))
    assert 3 == len(capture.spans())


def test_process_within_process_is_one_span_and_each_further_one_a_try(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    channel.basic_publish("", queue, b"{}")
    method, properties, body = channel.basic_get(queue)

    def handler() -> None:
        with traced.process(channel, method, properties, body) as inner:
            seen.append(inner)
            raise TimeoutError

    seen: list[trace.Span] = []
    with pytest.raises(TimeoutError), traced.process(channel, method, properties, body, queue=queue) as outer:
        handler()
    assert [outer] == seen
    for _ in range(2):
        with traced.process(channel, method, properties, body, queue=queue):
            """Once more."""
    channel.basic_ack(method.delivery_tag)
    works = capture.spans(f"process {queue}")
    assert [StatusCode.ERROR, StatusCode.UNSET, StatusCode.UNSET] == [one.status.status_code for one in works]
    assert 1 == len(capture.spans(f"ack {queue}"))


def test_a_message_that_comes_again_is_the_next_attempt(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    quorum = f"{queue}-quorum"
    channel.queue_declare(quorum, durable=True, arguments={"x-queue-type": "quorum"})
    for name, tries in ((queue, [1, 2, 2]), (quorum, [1, 2, 3])):
        channel.basic_publish("", name, b"{}", pika.BasicProperties(delivery_mode=PERSISTENT))
        outcomes = iter(("nack", "reject", "ack"))

        def work(given: BlockingChannel, method: Any, *_: Any, outcomes: Iterator[str] = outcomes) -> None:
            getattr(given, f"basic_{next(outcomes)}")(method.delivery_tag)

        handle(channel, name, work, 3)
        found = [dict(span.attributes or {}) for span in capture.spans(f"process {name}")]
        assert tries == [one["throughline.message.attempt"] for one in found]
        assert True is capture.attributes(f"nack {name}")["throughline.message.requeue"]
        assert capture.span(f"reject {name}")
        assert ["throughline.message.settled" in one for one in found] == [False, False, True]
        assert [] == capture.spans(f"ack {name}")


def test_a_dead_letter_says_where_and_why_it_died(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    dead, work_queue = f"{queue}-dead", f"{queue}-work"
    channel.queue_declare(dead)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
    channel.queue_declare(work_queue, arguments=arguments)
    channel.basic_publish("", work_queue, b"{}")
    handle(channel, work_queue, lambda given, method, *_: given.basic_reject(method.delivery_tag, False))
    handle(channel, dead, ack)
    capture.assert_child(f"process {dead}", of=f"send {work_queue}")
    found = capture.attributes(f"process {dead}")
    assert ("rejected", work_queue) == tuple(
        found[f"throughline.dead_letter.{name}"] for name in ("reason", "source")
    )
    assert 1 == found["throughline.message.attempt"]
    assert False is capture.attributes(f"reject {work_queue}")["throughline.message.requeue"]


def test_a_message_that_comes_back_over_a_dead_letter_exchange_is_the_next_attempt(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    wait, work_queue = f"{queue}-wait", f"{queue}-work"
    back = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": work_queue, "x-message-ttl": 1}
    channel.queue_declare(wait, arguments=back)
    channel.queue_declare(
        work_queue, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait}
    )
    channel.basic_publish("", work_queue, b"{}")
    handle(channel, work_queue, lambda given, method, *_: given.basic_reject(method.delivery_tag, False), 3)
    found = [dict(span.attributes or {}) for span in capture.spans(f"process {work_queue}")]
    assert [1, 2, 3] == [one["throughline.message.attempt"] for one in found]


def test_a_republished_message_carries_one_context_and_its_own_headers(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    again = f"{queue}-again"
    channel.queue_declare(again)
    own = {"n": 3, "flags": [1, "two"], "table": {"deep": True}, "raw": b"\xff"}
    properties = pika.BasicProperties(headers=dict(own))
    channel.basic_publish("", queue, b"{}", properties)
    assert own == properties.headers

    def forward(given: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        given.basic_publish("", again, body, properties)
        ack(given, method)

    got: list[Any] = []
    handle(channel, queue, forward)
    handle(channel, again, lambda *given: (got.append(given[2].headers), ack(*given)))  # type: ignore[func-returns-value]
    capture.assert_child(f"send {again}", of=f"process {queue}")
    capture.assert_child(f"process {again}", of=f"send {again}")
    (headers,) = got
    assert {**own, "traceparent": headers["traceparent"]} == headers


@pytest.mark.parametrize("headers", AMQP_POISON)
def test_poison_headers_reach_the_application_and_hurt_nobody(
    capture: Capture, channel: BlockingChannel, queue: str, headers: dict[str, Any]
) -> None:
    traced.uninstrument()
    channel.basic_publish("", queue, b"{}", pika.BasicProperties(headers=headers))
    traced.instrument(capture.provider)
    got: list[Any] = []

    def work(given: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        got.append(properties.headers)
        given.basic_publish("", queue, body, properties)
        ack(given, method)

    handle(channel, queue, work)
    properties = channel.basic_get(queue, auto_ack=True)[1]
    assert set(headers) == set(got[0])
    send = capture.span(f"send {queue}").context
    assert f"00-{send.trace_id:032x}-{send.span_id:016x}" == properties.headers["traceparent"][:52]
    assert 1 == sum(name.lower() == "traceparent" for name in properties.headers)
    capture.assert_child(f"send {queue}", of=f"process {queue}")
    assert [1, 1, 1] == [len(capture.spans(f"{name} {queue}")) for name in ("process", "send", "get")]
    assert 3 == len(capture.spans())


def test_headers_that_fill_a_frame_go_out_as_they_are(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    channel.basic_publish("", queue, b"{}", pika.BasicProperties(headers={"blob": "x" * 130_900}))
    assert ["blob"] == list(channel.basic_get(queue, auto_ack=True)[1].headers)
    assert capture.span(f"send {queue}")


def test_a_send_span_ends_with_the_brokers_refusal(capture: Capture, channel: BlockingChannel) -> None:
    with pytest.raises(UnroutableError):
        channel.basic_publish("", "nowhere", b"{}", mandatory=True)
    assert "UnroutableError" == capture.attributes("send nowhere")["error.type"]


def test_what_the_client_refuses_is_raised_and_its_span_ended(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    with pytest.raises(TypeError):
        channel.basic_consume(queue, "no callback")  # type: ignore[arg-type]
    channel.close()
    with pytest.raises(pika.exceptions.ChannelWrongStateError):
        channel.basic_publish("", queue, b"{}")
    assert StatusCode.ERROR is capture.span(f"send {queue}").status.status_code


def test_an_exchange_is_named_with_its_routing_key_and_each_queue(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    exchange, bill = f"{queue}-x", f"{queue}-bill"
    channel.exchange_declare(exchange, "topic")
    channel.queue_declare(bill)
    for name in (queue, bill):
        channel.queue_bind(name, exchange, "order.*")
    channel.basic_publish(exchange, "order.paid", b"{}")
    for name in (queue, bill):
        handle(channel, name, ack)
        capture.assert_child(f"process {exchange}:order.paid:{name}", of=f"send {exchange}:order.paid")


def test_threads_with_a_connection_each_keep_their_contexts_apart(
    capture: Capture, channel: BlockingChannel, queue: str, amqp: str
) -> None:
    started = threading.Barrier(4)

    def serve(number: int) -> None:
        mine = f"{queue}-{number}"
        with pika.BlockingConnection(pika.URLParameters(amqp)) as connection:
            own = connection.channel()
            own.queue_declare(mine)
            started.wait(20)
            with entity("order", str(number)):
                for _ in range(20):
                    own.basic_publish("", mine, b"{}")
            handle(own, mine, ack, 20)
            own.queue_delete(mine)

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for number in range(4):
        sends = {one.context.span_id for one in capture.spans(f"send {queue}-{number}")}
        works = capture.spans(f"process {queue}-{number}")
        assert 20 == len(sends) == len(works)
        assert sends == {one.parent.span_id for one in works if one.parent}
        assert {str(number)} == {(one.attributes or {})["throughline.context.order"] for one in works}


def test_without_instrument_the_helpers_do_the_same_for_one_message(
    channel: BlockingChannel, queue: str
) -> None:
    traced.uninstrument()
    traced.publish(channel, "", queue, b"{}")
    method, properties, body = channel.basic_get(queue, auto_ack=True)
    with traced.process(channel, method, properties, body, queue=queue):
        pass
    assert BlockingChannel.basic_publish.__qualname__ == "BlockingChannel.basic_publish"


def test_a_body_is_on_the_span_only_where_somebody_asked_for_it(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    traced.uninstrument()
    traced.instrument(capture.provider, Options(body=20))
    channel.basic_publish("", queue, b'{"order": 7, "token": "t"}')
    handle(channel, queue, ack)
    for name in ("send", "process"):
        assert '{"order":7,"token":"' == capture.attributes(f"{name} {queue}")["throughline.message.body"]


def test_instrumenting_twice_makes_no_span_twice(
    capture: Capture, channel: BlockingChannel, queue: str
) -> None:
    traced.instrument(capture.provider)
    channel.basic_publish("", queue, b"{}")

    def work(given: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        with traced.process(given, method, properties, body):
            ack(given, method)

    handle(channel, queue, work)
    assert [f"{name} {queue}" for name in ("send", "process")] == [span.name for span in capture.spans()]
    assert ("ack", True) == settled(capture.attributes(f"process {queue}"))
