"""Celery's pools, and how their processes end, on a real RabbitMQ."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.tracing.integrations.celery_bench import Bench, attributes, worker
from tracing.integrations import celery as traced
from tracing.testing import Capture

pytestmark = pytest.mark.server


@pytest.fixture(autouse=True)
def _instrumented(capture: Capture) -> Iterator[None]:
    traced.instrument(capture.provider)
    yield
    traced.uninstrument()


def place(bench: Bench, count: int) -> None:
    """Send this many tasks and wait for their results."""
    results = [bench.app.signature("place", (number,)).apply_async() for number in range(count)]
    assert list(range(count)) == [result.get(timeout=60) for result in results]


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent", "solo"])
def test_each_pool_keeps_the_contexts_of_its_tasks_apart(
    capture: Capture, rabbitmq: RabbitMQ, redis_server: Redis, pool: str
) -> None:
    with worker(rabbitmq.url, redis_server.url, "-c", "10", pool=pool) as bench:
        place(bench, 40)
        found = bench.wait({"run place": 40, "db": 40})
        runs = {run.span_id: run for run in found["run place"]}
        assert 40 == len(runs) == len(found["db"])
        sent = [span.context.span_id.to_bytes(8, "big") for span in capture.spans("send place")]
        assert sorted(sent) == sorted(run.parent_span_id for run in runs.values())
        for db in found["db"]:
            run = runs[db.parent_span_id]
            assert sent.index(run.parent_span_id) == attributes(db)["number"]


def test_a_child_that_is_recycled_sends_its_spans_first(rabbitmq: RabbitMQ, redis_server: Redis) -> None:
    options = ("--max-tasks-per-child", "1")
    with worker(rabbitmq.url, redis_server.url, *options, delay="60000") as bench:
        place(bench, 10)
        found = bench.wait({"run place": 10, "db": 10})
        assert [10, 10] == [len(spans) for spans in found.values()]


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent"])
def test_nothing_is_lost_when_a_worker_is_told_to_end(
    rabbitmq: RabbitMQ, redis_server: Redis, pool: str
) -> None:
    with worker(rabbitmq.url, redis_server.url, "-c", "4", pool=pool, delay="60000") as bench:
        place(bench, 100)
        bench.stop(signal.SIGTERM)
        assert [100, 100] == [len(bench.spans(name)) for name in ("run place", "db")]
