"""A tracer that fails in every way changes nothing for the application."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import aio_pika
import pika
import pytest
import redis
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path
from opentelemetry import trace
from opentelemetry.trace import TracerProvider

from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.tracing.broken import Broken
from tests.tracing.integrations.celery_bench import worker
from tracing.guard import losses
from tracing.integrations import aio_pika as traced_aio_pika
from tracing.integrations import celery as traced_celery
from tracing.integrations import django as traced_django
from tracing.integrations import pika as traced_pika
from tracing.integrations import redis_streams as traced_redis

pytestmark = pytest.mark.server


@pytest.fixture(params=["provider", "start", "span"])
def broken(request: pytest.FixtureRequest) -> Iterator[TracerProvider]:
    before = losses()
    yield Broken(request.param)
    assert before != losses(), "nothing failed"
    assert not trace.get_current_span().is_recording()


def alike(story: Callable[[], Any], module: Any, broken: TracerProvider) -> None:
    """The story ends alike with and without us."""
    expected = story()
    module.instrument(broken)
    try:
        assert expected == story()
    finally:
        module.uninstrument()


def test_pika_does_the_same(amqp: str, broken: TracerProvider) -> None:
    def story() -> Any:
        told: list[Any] = []
        with pika.BlockingConnection(pika.URLParameters(amqp)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            queue = channel.queue_declare("", exclusive=True).method.queue
            for body in (b"1", b"2", b"3"):
                channel.basic_publish("", queue, body, pika.BasicProperties(headers={"n": 1}))
            method, properties, body = channel.basic_get(queue)
            told.append((body, {"n"} <= set(properties.headers)))
            channel.basic_nack(method.delivery_tag)

            def fail(given: Any, method: Any, _: Any, body: bytes) -> None:
                told.append(body)
                given.basic_reject(method.delivery_tag, False)
                raise LookupError(body)

            channel.basic_consume(queue, fail, consumer_tag="c")
            with pytest.raises(LookupError):
                channel.start_consuming()
            channel.basic_cancel("c")
            for method, _, body in channel.consume(queue):
                told.append(body)
                channel.basic_ack(method.delivery_tag)
                break
            with pytest.raises(pika.exceptions.UnroutableError):
                channel.basic_publish("", "nowhere", b"", mandatory=True)
        return told

    alike(story, traced_pika, broken)


def test_aio_pika_does_the_same(amqp: str, broken: TracerProvider) -> None:
    async def main() -> Any:
        told: list[Any] = []
        async with await aio_pika.connect_robust(amqp) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(exclusive=True)
            for body in (b"1", b"2", b"3"):
                message = aio_pika.Message(body)
                told.append(type(await channel.default_exchange.publish(message, queue.name)))
            got = await queue.get()
            assert got is not None
            with pytest.raises(LookupError):
                async with got.process():
                    raise LookupError(got.body)
            async with queue.iterator() as messages:
                async for message in messages:
                    async with message.process():
                        told.append(message.body)
                    break
            done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

            async def callback(message: Any) -> None:
                await message.ack()
                if not done.done():
                    done.set_result(message.body)

            await queue.consume(callback)
            told.append(await asyncio.wait_for(done, 20))
        return told

    alike(lambda: asyncio.run(main()), traced_aio_pika, broken)


def test_redis_streams_do_the_same(redis_server: Redis, broken: TracerProvider) -> None:
    client = redis.Redis.from_url(redis_server.url)

    def story() -> Any:
        stream = uuid.uuid4().hex
        client.xgroup_create(stream, "g", mkstream=True)
        client.xadd(stream, {"a": 1}, id="1-1")
        read = list(client.xreadgroup("g", "c", {stream: ">"}))
        claimed = client.xautoclaim(stream, "g", "c", 0)
        with client.pipeline() as pipeline:
            answers = pipeline.xadd(stream, {"b": 2}, id="1-2").set("x", 1).execute()
        with pytest.raises(redis.ResponseError):
            client.xadd(stream, {"c": 3}, id="0-0")
        return len(read), claimed, answers, client.xack(stream, "g", "1-1")

    alike(story, traced_redis, broken)
    client.close()


@pytest.mark.parametrize("stage", ["provider", "start", "span"])
def test_celery_does_the_same(rabbitmq: RabbitMQ, redis_server: Redis, stage: str) -> None:
    with worker(rabbitmq.url, redis_server.url, broken=stage) as bench:
        traced_celery.instrument(Broken(stage))
        try:
            tasks = [
                bench.app.signature(*given).apply_async()
                for given in (("place", (4,)), ("again",), ("fail",))
            ]
            assert [4, 2] == [task.get(timeout=60) for task in tasks[:2]]
            with pytest.raises(ValueError, match="no stock"):
                tasks[2].get(timeout=60)
        finally:
            traced_celery.uninstrument()
        assert [] == [span for span in bench.spans() if span.name.startswith("run")]


def view(request: Any, number: int) -> HttpResponse:
    return HttpResponse(str(1 // number))


urlpatterns = [path("<int:number>/", view)]


def test_django_does_the_same(broken: TracerProvider) -> None:
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[], ALLOWED_HOSTS=["*"], DEBUG=False):

        def story() -> Any:
            client = Client(raise_request_exception=False)
            return [(answer.status_code, answer.content) for answer in map(client.get, ("/1/", "/0/", "/x/"))]

        alike(story, traced_django, broken)
