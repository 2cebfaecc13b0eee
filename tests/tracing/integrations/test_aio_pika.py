"""aio-pika on a real RabbitMQ."""

from __future__ import annotations

import asyncio
import gc
import uuid
from collections.abc import Iterator
from typing import Any

import aio_pika
import pika
import pytest
from aio_pika.exceptions import DeliveryError, QueueEmpty
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from tests.tracing.integrations.aio_pika_bench import Bench, ack, run
from tests.tracing.integrations.brokers import AMQP_POISON
from tracing import entity, envelope
from tracing.guard import losses
from tracing.integrations import aio_pika as traced
from tracing.testing import Capture

pytestmark = pytest.mark.server


@pytest.fixture(autouse=True)
def _instrumented(capture: Capture) -> Iterator[None]:
    before = losses()
    traced.instrument(capture.provider)
    yield
    traced.uninstrument()
    odd = {key for key, count in losses().items() if count != before.get(key)}
    assert odd <= {"bad traceparent", "duplicate traceparent", "bad baggage member"}


@pytest.mark.parametrize("robust", [True, False])
def test_a_callback_runs_inside_a_span_that_is_the_senders_child(
    capture: Capture, amqp: str, robust: bool
) -> None:
    event = envelope.new("OrderPlaced", "/shop", subject="order/7")
    seen: list[Any] = []

    async def story(bench: Bench) -> None:
        with entity("order", "7"):
            message = aio_pika.Message(b"{}", headers={"n": 3}, message_id="m1")
            await traced.publish(bench.exchange, message, bench.queue.name, event=event)
            assert {"n": 3} == message.headers

        async def work(message: Any) -> None:
            seen.append((envelope.current(), message.headers["n"], message.content_type))
            await message.ack()

        await bench.handle(work)

    queue = run(amqp, story, robust=robust)
    capture.assert_child(f"process {queue}", of=f"send {queue}")
    capture.assert_linked(f"process {queue}", to=f"send {queue}")
    assert [(event.id, 3, "application/json")] == [(one.id, n, kind) for one, n, kind in seen]
    for name in ("send", "process"):
        attributes = capture.attributes(f"{name} {queue}")
        assert ("rabbitmq", event.id, 2) == tuple(
            attributes[f"messaging.{key}"] for key in ("system", "message.id", "message.body.size")
        )
        assert "127.0.0.1" == attributes["server.address"]
    assert "7" == capture.attributes(f"process {queue}")["throughline.context.order"]
    assert "ack" == capture.attributes(f"process {queue}")["throughline.message.settled"]
    assert 2 == len(capture.spans())


def test_what_was_current_when_the_client_connected_is_nobodys_parent(capture: Capture, amqp: str) -> None:
    name = f"orders-{uuid.uuid4().hex[:8]}"

    async def main() -> None:
        startup = capture.provider.get_tracer("t").start_span("startup")
        with trace.use_span(startup):
            connection = await aio_pika.connect_robust(amqp)
            channel = await connection.channel()
        async with connection:
            bench = Bench(channel, await channel.declare_queue(name))
            await bench.send()
            await bench.handle(ack)

    asyncio.run(main())
    capture.assert_child(f"process {name}", of=f"send {name}")


@pytest.mark.parametrize("robust", [True, False])
def test_the_body_of_a_loop_over_a_queue_is_the_handler(capture: Capture, amqp: str, robust: bool) -> None:
    current: list[int] = []

    async def story(bench: Bench) -> None:
        for number in range(3):
            await bench.send(str(number).encode())
        async with bench.queue.iterator() as messages:
            async for message in messages:
                current.append(trace.get_current_span().get_span_context().span_id)
                async with message.process():
                    assert current[-1] == trace.get_current_span().get_span_context().span_id
                if len(current) == 3:
                    break
        assert not trace.get_current_span().get_span_context().is_valid

    queue = run(amqp, story, robust=robust)
    sends, works = (capture.spans(f"{name} {queue}") for name in ("send", "process"))
    assert [one.context.span_id for one in works] == current
    assert [one.context.span_id for one in sends] == [one.parent and one.parent.span_id for one in works]
    assert ["ack"] * 3 == [(one.attributes or {})["throughline.message.settled"] for one in works]
    assert 6 == len(capture.spans())


def test_a_loop_that_fails_ends_its_messages_span_with_the_error(capture: Capture, amqp: str) -> None:
    queues: list[str] = []

    async def story(bench: Bench) -> None:
        await bench.send()
        async with bench.queue.iterator() as messages:
            async for _ in messages:
                queues.append(bench.queue.name)
                raise TimeoutError("10 s")

    with pytest.raises(TimeoutError):
        run(amqp, story)
    (queue,) = queues
    assert "TimeoutError" == capture.attributes(f"process {queue}")["error.type"]


def test_a_loop_that_is_left_ends_its_span_with_the_connection(capture: Capture, amqp: str) -> None:
    async def story(bench: Bench) -> None:
        await bench.send()
        async for message in bench.queue:
            await message.ack()
            break

    queue = run(amqp, story)
    gc.collect()
    assert capture.span(f"process {queue}")


def test_a_message_of_get_is_handled_inside_its_process_context(capture: Capture, amqp: str) -> None:
    async def story(bench: Bench) -> None:
        with pytest.raises(QueueEmpty):
            await bench.queue.get()
        await bench.send()
        message = await bench.queue.get()
        assert message is not None
        async with message.process():
            assert trace.get_current_span().is_recording()
        assert not trace.get_current_span().get_span_context().is_valid

    queue = run(amqp, story)
    capture.assert_linked(f"get {queue}", to=f"send {queue}")
    capture.assert_linked(f"process {queue}", to=f"get {queue}")
    capture.assert_child(f"process {queue}", of=f"send {queue}")
    assert "ack" == capture.attributes(f"process {queue}")["throughline.message.settled"]
    assert 3 == len(capture.spans())


def test_a_failed_handler_rejects_inside_its_span(capture: Capture, amqp: str) -> None:
    async def story(bench: Bench) -> None:
        await bench.send()
        message = await bench.queue.get()
        assert message is not None
        with pytest.raises(TimeoutError):
            async with message.process(requeue=True):
                raise TimeoutError("10 s")

    queue = run(amqp, story)
    assert StatusCode.ERROR is capture.span(f"process {queue}").status.status_code
    capture.assert_child(f"reject {queue}", of=f"process {queue}")
    assert True is capture.attributes(f"reject {queue}")["throughline.message.requeue"]


def test_a_callback_that_is_cancelled_has_failed(capture: Capture, amqp: str) -> None:
    async def story(bench: Bench) -> None:
        await bench.send()

        async def work(_: Any) -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(3600)

        await bench.handle(work)

    queue = run(amqp, story)
    assert "CancelledError" == capture.attributes(f"process {queue}")["error.type"]


def test_a_message_that_comes_again_is_the_next_attempt(capture: Capture, amqp: str) -> None:
    async def story(bench: Bench) -> None:
        arguments = {"x-queue-type": "quorum"}
        quorum = await bench.channel.declare_queue(
            f"{bench.queue.name}-quorum", durable=True, arguments=arguments
        )
        for queue in (bench.queue, quorum):
            await bench.exchange.publish(aio_pika.Message(b"{}"), queue.name)
            outcomes = iter(("nack", "reject", "ack"))

            async def work(message: Any, outcomes: Iterator[str] = outcomes) -> None:
                name = next(outcomes)
                await getattr(message, name)(**({} if name == "ack" else {"requeue": True}))

            await bench.handle(work, 3, queue)

    name = run(amqp, story)
    for queue, tries in ((name, [1, 2, 2]), (f"{name}-quorum", [1, 2, 3])):
        found = [dict(span.attributes or {}) for span in capture.spans(f"process {queue}")]
        assert tries == [one["throughline.message.attempt"] for one in found]
        assert True is capture.attributes(f"nack {queue}")["throughline.message.requeue"]
        assert ["throughline.message.settled" in one for one in found] == [False, False, True]
        assert (1, 0) == tuple(len(capture.spans(f"{call} {queue}")) for call in ("reject", "ack"))


def test_a_dead_letter_says_where_and_why_it_died(capture: Capture, amqp: str) -> None:
    async def story(bench: Bench) -> None:
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": bench.queue.name}
        work_queue = await bench.channel.declare_queue(f"{bench.queue.name}-work", arguments=arguments)
        await bench.exchange.publish(aio_pika.Message(b"{}"), work_queue.name)
        await bench.handle(lambda message: message.reject(), queue=work_queue)
        await bench.handle(ack)

    queue = run(amqp, story)
    capture.assert_child(f"process {queue}", of=f"send {queue}-work")
    found = capture.attributes(f"process {queue}")
    assert ("rejected", f"{queue}-work") == tuple(
        found[f"throughline.dead_letter.{name}"] for name in ("reason", "source")
    )
    assert 1 == found["throughline.message.attempt"]
    assert False is capture.attributes(f"reject {queue}-work")["throughline.message.requeue"]


def test_a_republished_message_carries_one_context_and_its_own_headers(capture: Capture, amqp: str) -> None:
    own = {"n": 3, "flags": [1, "two"], "table": {"deep": True}}
    got: list[Any] = []

    async def story(bench: Bench) -> None:
        again = await bench.channel.declare_queue(f"{bench.queue.name}-again")
        await bench.send(headers=dict(own))

        async def forward(message: Any) -> None:
            await message.ack()  # a message that was settled is locked
            await bench.exchange.publish(message, again.name)

        async def keep(message: Any) -> None:
            got.append(message.headers)
            await message.ack()

        await bench.handle(forward)
        await bench.handle(keep, queue=again)

    queue = run(amqp, story)
    capture.assert_child(f"send {queue}-again", of=f"process {queue}")
    capture.assert_child(f"process {queue}-again", of=f"send {queue}-again")
    (headers,) = got
    assert own.keys() | {"traceparent"} == headers.keys()
    assert (3, [1, "two"], {"deep": True}) == tuple(headers[name] for name in ("n", "flags", "table"))


@pytest.mark.parametrize("headers", AMQP_POISON)
def test_poison_headers_reach_the_application_and_hurt_nobody(
    capture: Capture, amqp: str, headers: dict[str, Any]
) -> None:
    got: list[Any] = []

    async def story(bench: Bench) -> None:
        again = await bench.channel.declare_queue(f"{bench.queue.name}-again")
        with pika.BlockingConnection(pika.URLParameters(amqp)) as plain:  # aio-pika cannot send such headers
            plain.channel().basic_publish("", bench.queue.name, b"{}", pika.BasicProperties(headers=headers))

        async def work(message: Any) -> None:
            got.append(message.headers)
            await bench.exchange.publish(message, again.name)
            await message.ack()

        await bench.handle(work)
        message = await again.get(no_ack=True)
        assert message is not None
        got.append(message.headers)

    queue = run(amqp, story)
    assert set(headers) == set(got[0])
    send = capture.span(f"send {queue}-again").context
    assert f"00-{send.trace_id:032x}-{send.span_id:016x}" == got[1]["traceparent"][:52]
    assert 1 == sum(name.lower() == "traceparent" for name in got[1])
    capture.assert_child(f"send {queue}-again", of=f"process {queue}")
    assert 1 == len(capture.spans(f"process {queue}"))


def test_a_send_span_ends_with_the_brokers_refusal(capture: Capture, amqp: str) -> None:
    async def story(bench: Bench) -> None:
        await bench.exchange.publish(aio_pika.Message(b"{}"), "nowhere")

    with pytest.raises(DeliveryError):
        run(amqp, story, on_return_raises=True)
    run(amqp, story)
    first, second = (dict(span.attributes or {}) for span in capture.spans("send nowhere"))
    assert ("PublishError", "Unroutable") == (first["error.type"], second["error.type"])


def test_many_tasks_on_one_channel_keep_their_contexts_apart(capture: Capture, amqp: str) -> None:
    async def story(bench: Bench) -> None:
        await bench.channel.set_qos(prefetch_count=50)

        async def place(number: int) -> None:
            with entity("order", str(number)):
                await bench.send(str(number).encode())

        async def work(message: Any) -> None:
            await asyncio.sleep(0)
            with capture.provider.get_tracer("t").start_as_current_span("db") as span:
                span.set_attribute("order", message.body.decode())
            await message.ack()

        await asyncio.gather(*(place(number) for number in range(50)))
        await bench.handle(work, 50)

    queue = run(amqp, story)
    orders = {
        span.context.span_id: (span.attributes or {})["throughline.context.order"]
        for span in capture.spans(f"process {queue}")
    }
    inner = [
        (orders[span.parent.span_id], (span.attributes or {})["order"])
        for span in capture.spans("db")
        if span.parent
    ]
    assert 50 == len(orders) == len(inner)
    assert all(outer == own for outer, own in inner)


def test_an_acknowledgement_after_the_handler_has_a_span_of_its_own(capture: Capture, amqp: str) -> None:
    async def story(bench: Bench) -> None:
        async def work(message: Any) -> None:
            with traced.process(message):
                """The work is done here."""
            await message.ack()

        await bench.send()
        await bench.handle(work)

    queue = run(amqp, story)
    assert "throughline.message.settled" not in capture.attributes(f"process {queue}")
    capture.assert_linked(f"ack {queue}", to=f"send {queue}")


def test_settling_many_at_once_is_one_span_linked_to_each(capture: Capture, amqp: str) -> None:
    async def story(bench: Bench) -> None:
        for _ in range(5):
            await bench.send()
        messages = [await bench.queue.get() for _ in range(5)]
        last = messages[-1]
        assert last is not None
        await last.ack(multiple=True)

    queue = run(amqp, story)
    capture.assert_linked(f"ack {queue}", to=f"send {queue}")
    assert 5 == capture.attributes(f"ack {queue}")["messaging.batch.message_count"]


def test_without_instrument_the_helpers_do_the_same_for_one_message(capture: Capture, amqp: str) -> None:
    traced.uninstrument()

    async def story(bench: Bench) -> None:
        await traced.publish(bench.exchange, aio_pika.Message(b"{}"), bench.queue.name)
        message = await bench.queue.get()
        assert message is not None
        with traced.process(message, queue=bench.queue.name):
            await message.ack()

    run(amqp, story)
    assert [] == capture.spans()
    assert "Exchange.publish" == aio_pika.Exchange.publish.__qualname__
