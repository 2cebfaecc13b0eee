"""What Celery ties together: a chain, and a chord whose body follows. ``python -m tests.zoo.canvas BROKER BACKEND RECEIVER ORDER``.

The shop orders a dinner: a chain of three tasks, and three tasks whose results a fourth one takes. A worker of its
own, with Celery's default pool, runs them all; each task has a queue of its own and says what it does to the order.
Prints as JSON what `tracing` lost.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import celery
from opentelemetry.sdk.trace import TracerProvider

from tracing import configure, flush, losses
from tracing.integrations import celery as traced

CHAIN, HEADER, BODY = ("cut", "cook", "serve"), "wash", "lay"
PLATES = 3

# hops: who sent it, over which queue, who took it, try, outcome, how often
HOPS = """
shop    | cut   | kitchen | 1 | done | 1
kitchen | cook  | kitchen | 1 | done | 1
kitchen | serve | kitchen | 1 | done | 1
shop    | wash  | kitchen | 1 | done | 3
kitchen | lay   | kitchen | 1 | done | 1
"""

# what is the cause of each, from the last back to the first
CAUSES = {
    "serve": ("run serve", "send serve", "run cook", "send cook", "run cut", "send cut", "order dinner"),
    "lay": ("run lay", "send lay", "run wash", "send wash", "order dinner"),
}


def main() -> None:
    """Tell it, send it."""
    broker, backend, receiver, order = sys.argv[1:]
    app = celery.Celery("dinner", broker=broker, backend=backend, set_as_current=False)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        task_routes={name: {"queue": f"{order}.{name}"} for name in (*CHAIN, HEADER, BODY)},
    )
    for name in (*CHAIN, HEADER, BODY):
        app.task(_does(name, order), shared=False, name=name)
    worker = os.fork()  # before anything has a thread
    if not worker:
        try:
            _work(app, receiver, order)
        finally:
            os._exit(1)
    try:
        _ask(app, receiver, order)
    finally:
        os.kill(worker, signal.SIGTERM)
        os.waitpid(worker, 0)  # its children have sent their spans by then
    print(json.dumps({"losses": losses()}))


def _ask(app: celery.Celery, receiver: str, order: str) -> None:
    provider = _instrumented("shop", receiver)
    about = {"throughline.entity.order": order}
    with provider.get_tracer("dinner").start_as_current_span("order dinner", attributes=about):
        dinner = celery.chain(*(app.signature(name, args=(0,)[: name == CHAIN[0]]) for name in CHAIN))
        table = celery.chord([app.signature(HEADER, args=(number,)) for number in range(PLATES)], app=app)
        asked = dinner.apply_async(), table(app.signature(BODY))
    for result in asked:
        result.get(timeout=60)
    flush()


def _does(name: str, order: str) -> object:
    def task(given: object) -> str:
        with (
            _kitchen[0]
            .get_tracer("dinner")
            .start_as_current_span(name, attributes={"throughline.entity.order": order})
        ):
            return name

    return task


_kitchen: list[TracerProvider] = []


def _instrumented(service: str, receiver: str) -> TracerProvider:
    provider = configure(service, endpoint=receiver, set_global=False)
    traced.instrument(provider)
    return provider


def _work(app: celery.Celery, receiver: str, order: str) -> None:
    _kitchen.append(_instrumented("kitchen", receiver))
    queues = ",".join(f"{order}.{name}" for name in (*CHAIN, HEADER, BODY))
    app.worker_main(
        [
            *("worker", "--loglevel", "warning", "--concurrency", "2", "--pool", "prefork"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            *("--hostname", f"kitchen@{order}", "--queues", queues),
        ]
    )


if __name__ == "__main__":
    main()
