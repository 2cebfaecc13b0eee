"""A client of RabbitMQ or Redis sending or handling messages, traced one way; prints its CPU per message.

``python -m benchmarks.tracing_brokers CLIENT WAY URL TOPIC COUNT``, as ``tracing_kafka`` does. A Celery task is
run in this very process, without a worker around it. For Django, sending is a request on WSGI and handling one on ASGI.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import time
from contextlib import nullcontext
from typing import Any

from benchmarks.tracing_kafka import BODY, length, run, spent

STOCK = {
    "pika": ("opentelemetry.instrumentation.pika", "PikaInstrumentor"),
    "aio_pika": ("opentelemetry.instrumentation.aio_pika", "AioPikaInstrumentor"),
    "celery": ("opentelemetry.instrumentation.celery", "CeleryInstrumentor"),
    "redis_streams": ("opentelemetry.instrumentation.redis", "RedisInstrumentor"),
    "django": ("opentelemetry.instrumentation.django", "DjangoInstrumentor"),
}
Figures = tuple[float, float, int]


def _traced(client: str) -> Any:
    return importlib.import_module(f"tracing.integrations.{client}")


def pika(ours: bool, url: str, topic: str, count: int) -> Figures:
    """Publish confirmed, and consume by callback."""
    import pika as client

    channel = client.BlockingConnection(client.URLParameters(url)).channel()
    channel.confirm_delivery()
    channel.queue_declare(topic)
    publish = _traced("pika").publish if ours else type(channel).basic_publish
    process = _traced("pika").process if ours else None
    began = time.process_time()
    for _ in range(count):
        publish(channel, "", topic, BODY)
    sent, left, carried = spent(began, count), count, []

    def callback(given: Any, method: Any, properties: Any, body: bytes) -> None:
        nonlocal left
        with process(given, method, properties, body, queue=topic) if process else nullcontext():
            left -= 1
        given.basic_ack(method.delivery_tag)
        if not carried:
            carried.append(properties.headers)
        if not left:
            given.stop_consuming()

    channel.basic_qos(prefetch_count=200)
    channel.basic_consume(topic, callback)
    began = time.process_time()
    channel.start_consuming()
    return sent, spent(began, count), length((carried[0] or {}).items())


def aio_pika(ours: bool, url: str, topic: str, count: int) -> Figures:
    """Publish confirmed, and consume by callback."""
    return asyncio.run(_aio_pika(ours, url, topic, count))


async def _aio_pika(ours: bool, url: str, topic: str, count: int) -> Figures:
    import aio_pika as client

    process = _traced("aio_pika").process if ours else None
    async with await client.connect_robust(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=200)
        queue, exchange = await channel.declare_queue(topic), channel.default_exchange
        began = time.process_time()
        for _ in range(count):
            message = client.Message(BODY)
            if ours:
                await _traced("aio_pika").publish(exchange, message, topic)
            else:
                await exchange.publish(message, topic)
        sent, left, carried = spent(began, count), count, []
        done = asyncio.Event()

        async def callback(message: Any) -> None:
            nonlocal left
            with process(message, queue=topic) if process else nullcontext():
                left -= 1
            await message.ack()
            if not carried:
                carried.append(message.headers)
            if not left:
                done.set()

        began = time.process_time()
        await queue.consume(callback)
        await asyncio.wait_for(done.wait(), 120)
        return sent, spent(began, count), length((carried[0] or {}).items())


def celery(ours: bool, url: str, topic: str, count: int) -> Figures:
    """Publish a task, and run one by what a worker runs it with."""
    import celery as client
    from celery.app.trace import build_tracer

    app = client.Celery("bench", broker=url.removesuffix("%2F") + "/", set_as_current=True)
    app.conf.update(task_default_queue=topic, task_ignore_result=True)
    traced = _traced("celery") if ours else None

    @app.task(bind=True, name="work")
    def work(self: Any) -> None:
        with traced.process(self) if traced else nullcontext():
            pass

    send = (lambda: traced.apply_async(work)) if traced else work.apply_async
    send()
    began = time.process_time()
    for _ in range(count):
        send()
    sent = spent(began, count)
    with app.connection_for_read() as connection:
        message = connection.SimpleQueue(topic).get(timeout=20)
        headers = message.headers
    info = {"exchange": "", "routing_key": topic, "redelivered": False}
    tracer = build_tracer("work", work, app=app)
    began = time.process_time()
    for number in range(count):
        request = headers | {"id": str(number), "delivery_info": info, "correlation_id": str(number)}
        tracer(str(number), (), {}, request)
    names = {"traceparent", "tracestate", "baggage"}
    carried = [(name, value) for name, value in headers.items() if name in names]
    return sent, spent(began, count), length(carried)


def redis_streams(ours: bool, url: str, topic: str, count: int) -> Figures:
    """Add one by one, and read by a group in hundreds."""
    import redis as client

    traced = _traced("redis_streams")
    connection = client.Redis.from_url(url)
    connection.xgroup_create(topic, "g", id="0", mkstream=True)
    add = traced.add if ours else type(connection).xadd
    began = time.process_time()
    for _ in range(count):
        add(connection, topic, {"body": BODY})
    sent = spent(began, count)
    fields = connection.execute_command("XRANGE", topic, "-", "+", "COUNT", "1")[0][1]
    pairs = fields.items() if isinstance(fields, dict) else zip(fields[::2], fields[1::2], strict=True)
    began, left = time.process_time(), count
    # no stock package knows of handlers: only ours has a span around each
    own = ours or type(connection).xadd.__code__.co_filename == traced.__file__
    while left:
        reply = connection.xreadgroup("g", "c", {topic: ">"}, count=100)
        entries = next(iter(reply.values())) if isinstance(reply, dict) else reply[0][1]
        for entry in entries:
            with traced.process(connection, topic, entry, group="g") if own else nullcontext():
                left -= 1
                connection.xack(topic, "g", entry[0])
    handled = spent(began, count)
    return sent, handled, length((name, value) for name, value in pairs if name != b"body")


def django(ours: bool, url: str, topic: str, count: int) -> Figures:
    """A small view."""
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application

    if ours:
        _settings().MIDDLEWARE = ["tracing.integrations.django.TracingMiddleware"]
    wsgi = get_wsgi_application()
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/orders/7/",
        "SERVER_NAME": "shop",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }

    def request() -> None:
        response = wsgi({**environ, "wsgi.input": io.BytesIO()}, lambda *_: None)
        response.close()

    request()
    began = time.process_time()
    for _ in range(count):
        request()
    sent = spent(began, count)
    return sent, asyncio.run(_asgi(get_asgi_application(), count)), 0


async def _asgi(application: Any, count: int) -> float:
    scope = {"type": "http", "method": "GET", "path": "/later/7/", "scheme": "http", "headers": []}

    async def receive() -> dict[str, Any]:
        if asked:
            await asyncio.Event().wait()  # until the application has answered
        asked.append(1)
        return {"type": "http.request", "body": b""}

    async def send(_: Any) -> None:
        """Nobody listens."""

    asked: list[int] = []
    began = time.process_time()
    for _ in range(count):
        asked.clear()
        await application(dict(scope), receive, send)
    return spent(began, count)


def _settings() -> Any:
    from django.conf import settings

    if not settings.configured:
        settings.configure(ROOT_URLCONF=tuple(_urls()), MIDDLEWARE=[], ALLOWED_HOSTS=["*"])
    return settings


def _urls() -> list[Any]:
    from django.http import HttpResponse
    from django.urls import path

    async def later(request: Any, order: str) -> Any:
        return HttpResponse(order)

    return [
        path("orders/<order>/", lambda request, order: HttpResponse(order)),
        path("later/<order>/", later),
    ]


if __name__ == "__main__":
    import sys

    if sys.argv[1] == "django":
        _settings()
    run({client: globals()[client] for client in STOCK}, STOCK)
