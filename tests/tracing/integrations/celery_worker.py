"""The tasks of a worker process: ``celery -A tests.tracing.integrations.celery_worker worker``."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from celery import Celery
from opentelemetry import trace

from tests.tracing.broken import Broken
from tracing import configure
from tracing.integrations import celery as traced

app = Celery("orders", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_default_queue=os.environ["QUEUE"],
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
)
configure("worker", endpoint=os.environ["ENDPOINT"])
traced.instrument(Broken(os.environ["BROKEN"]) if os.environ["BROKEN"] else None)


@app.task(name="place")
def place(number: int) -> int:
    """Some work with a span of its own."""
    with trace.get_tracer("t").start_as_current_span("db") as span:
        span.set_attribute("number", number)
        time.sleep(0.01)  # where greenlets and threads take turns
    return number


@app.task(name="add")
def add(numbers: list[int]) -> int:
    """The body of a chord."""
    return sum(numbers)


@app.task(name="fail")
def fail() -> None:
    """A failure."""
    raise ValueError("no stock")


@app.task(name="leave")
def leave() -> None:
    """A task that ends its process."""
    raise SystemExit(3)


@app.task(name="again", bind=True, max_retries=2)
def again(self: Any) -> int:
    """Two failures, then a success."""
    if self.request.retries < 2:
        raise self.retry(exc=TimeoutError("psp"), countdown=0)
    return int(self.request.retries)


@app.task(name="linger")
def linger(seconds: float) -> None:
    """A long task."""
    time.sleep(seconds)


@app.task(name="die", acks_late=True, reject_on_worker_lost=True, bind=True)
def die(self: Any) -> str:
    """A task whose process is killed the first time."""
    if not self.request.delivery_info["redelivered"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


@app.task(name="whoami")
def whoami() -> int:
    """The process that runs it."""
    return os.getpid()
