"""A process that forks with messages in hand: each span is sent once, and what the child sends belongs to the message."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections import Counter

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.servers.redis import Redis
from tests.tracing.sink import running

pytestmark = pytest.mark.server

PIKA = """
import os, sys
import pika
from tracing import configure
from tracing.integrations import pika as traced

endpoint, url, queue = sys.argv[1:]
configure("orders", endpoint=endpoint)
traced.instrument()

def connect():
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    channel.confirm_delivery()
    return channel

def fork_and_ack(method):
    if not (child := os.fork()):
        connect().basic_publish("", f"{queue}-next", b"2")
        leave()
    assert not os.waitpid(child, 0)[1]
    channel.basic_ack(method.delivery_tag)

channel = connect()
for name in (queue, f"{queue}-next"):
    channel.queue_declare(name)
channel.basic_publish("", queue, b"1")
"""
IN_A_CALLBACK = """
def callback(channel, method, properties, body):
    fork_and_ack(method)
    channel.stop_consuming()
channel.basic_consume(queue, callback)
channel.start_consuming()
"""
IN_A_LOOP = """
for method, properties, body in channel.consume(queue):
    fork_and_ack(method)
    break
"""
IN_PROCESS = """
channel.basic_qos(prefetch_count=1)
method, properties, body = channel.basic_get(queue)
with traced.process(channel, method, properties, body, queue=queue):
    fork_and_ack(method)
"""
REDIS = """
import os, signal, sys, threading
import redis
from tracing import configure
from tracing.integrations import redis_streams as traced

endpoint, url, stream = sys.argv[1:]
configure("orders", endpoint=endpoint)
traced.instrument()
client = redis.Redis.from_url(url)
client.xgroup_create(stream, "g", id="0", mkstream=True)
client.xadd(stream, {"a": 1})
reply = client.xreadgroup("g", "c", {stream: ">"})
(rows,) = reply.values() if isinstance(reply, dict) else [row[1] for row in reply]
entry = rows[0][0] if isinstance(rows[0], list) else rows[0]
"""
IN_A_HANDLER = """
with traced.process(client, stream, entry, group="g"):
    if not (child := os.fork()):
        client.xadd(f"{stream}-next", {"b": 1})
        leave()
    assert not os.waitpid(child, 0)[1]
    client.xack(stream, "g", entry[0])
"""
WITH_A_PIPELINE = """
with traced.process(client, stream, entry, group="g"):
    pipeline = client.pipeline()
    pipeline.xack(stream, "g", entry[0])
    if not (child := os.fork()):
        client.xadd(f"{stream}-next", {"b": 1})
        leave()
    assert not os.waitpid(child, 0)[1]
    pipeline.execute()
"""
WHILE_A_THREAD_REMEMBERS = """
held = threading.Event()
def remember():
    with traced._known._lock:
        held.set()
        threading.Event().wait()
threading.Thread(target=remember, daemon=True).start()
held.wait(30)
with traced.process(client, stream, entry, group="g"):
    if not (child := os.fork()):
        signal.alarm(20)
        client.xadd(f"{stream}-next", {"b": 1})
        client.xack(stream, "g", entry[0])
        leave()
    assert not os.waitpid(child, 0)[1]
"""
LEAVING = {
    "sys.exit": "def leave(): sys.exit()\n",
    "os._exit": "def leave():\n    import tracing\n    tracing.flush()\n    os._exit(0)\n",
}


def spans_of(script: str, url: str, name: str) -> list[Span]:
    with running() as sink:
        done = subprocess.run(
            [sys.executable, "-c", script, sink.endpoint, url, name],
            timeout=120,
            capture_output=True,
            text=True,
        )
        assert 0 == done.returncode, done.stderr
        return [span for _, span in sink.spans()]


def one_story(spans: list[Span], expected: list[str], process: str, next_one: str) -> None:
    assert Counter(expected) == Counter(span.name for span in spans)
    assert len(spans) == len({span.span_id for span in spans})
    by_name = {span.name: span for span in spans}
    assert by_name[process].span_id == by_name[next_one].parent_span_id
    assert by_name[process].trace_id == by_name[next_one].trace_id


@pytest.mark.parametrize("leaving", LEAVING)
@pytest.mark.parametrize(
    ("work", "received"),
    [(IN_A_CALLBACK, False), (IN_A_LOOP, False), (IN_PROCESS, True)],
    ids=["callback", "loop", "process"],
)
def test_a_handler_of_pika_that_forks(amqp: str, work: str, received: bool, leaving: str) -> None:
    name = f"orders-{uuid.uuid4().hex[:8]}"
    spans = spans_of(PIKA + LEAVING[leaving] + work, amqp, name)
    expected = [f"send {name}", f"process {name}", f"send {name}-next"]
    expected += [f"get {name}"] if received else []
    one_story(spans, expected, f"process {name}", f"send {name}-next")


@pytest.mark.parametrize("leaving", LEAVING)
@pytest.mark.parametrize(
    ("work", "apart"),
    [(IN_A_HANDLER, False), (WITH_A_PIPELINE, False), (WHILE_A_THREAD_REMEMBERS, True)],
    ids=["handler", "pipeline", "while a thread remembers"],
)
def test_a_handler_of_redis_that_forks(redis_server: Redis, work: str, apart: bool, leaving: str) -> None:
    name = f"orders-{uuid.uuid4().hex[:8]}"
    spans = spans_of(REDIS + LEAVING[leaving] + work, redis_server.url, name)
    expected = [f"xadd {name}", f"xreadgroup {name}", f"process {name}", f"xadd {name}-next"]
    expected += (
        [f"xack {name}"] if apart else []
    )  # the span in hand is the parent's, who acknowledges is the child
    one_story(spans, expected, f"process {name}", f"xadd {name}-next")
