"""Celery in the zoo: a destination is a queue for each of its groups, a message a task, and each handling a worker.

The workers are processes of their own, with Celery's default pool. To two groups, and with fifty items, the shop
sends a ``celery.group``. RabbitMQ takes what a task rejects to the dead letters; Redis has none.
"""

from __future__ import annotations

import os
import signal
from typing import Any

import celery
from celery import signals
from celery.exceptions import Reject
from kombu import Exchange, Queue
from opentelemetry.sdk.trace import TracerProvider

from tests.tracing.kit import RefusedError, Taken, Transport
from tests.tracing.kit.transport import Handler, Pairs
from tests.zoo.story import GROUPS, RETRY
from tests.zoo.styles import Style, stock, using
from tracing.integrations import celery as traced

_DEAD = {"invoices": "graveyard"}  # whose rejected tasks go where


class Tasks(Transport):
    """One application per service, with its own queues and tasks."""

    def __init__(self, service: Any, url: str) -> None:
        super().__init__(service)
        self.app = celery.Celery(service.name, broker=url, set_as_current=False)
        self.app.conf.update(
            broker_connection_retry_on_startup=True,
            task_acks_late=True,  # else there is nothing to reject
            worker_prefetch_multiplier=1,
            worker_hijack_root_logger=False,
            worker_enable_remote_control=False,
        )
        self.handler: Handler | None = None
        self.done = -1  # where a worker tells that it has handled a message

        def run(task: Any, body: str) -> None:
            self._run(task, body)

        for destination, groups in GROUPS.items():
            for group in groups:
                self.app.task(run, bind=True, shared=False, name=f"{destination}.{group}")

    def _run(self, task: Any, body: str) -> None:
        assert self.handler is not None
        again = False
        try:
            self.handler(Taken(body.encode(), task.request.headers, task))
        except RefusedError as error:
            again = True
            raise task.retry(exc=error, countdown=RETRY / 1000) from error
        finally:
            if not again:
                os.write(self.done, b".")

    def signature(self, destination: str, group: str, *arguments: str, headers: Any = None) -> Any:
        """The task of one message for one group."""
        kind, queue = destination.rpartition(".")[2], self.queue(destination, group)
        return self.app.signature(f"{kind}.{group}", arguments, queue=queue, headers=headers)

    def queue(self, destination: str, group: str) -> Queue:
        """A group's queue."""
        order, _, kind = destination.rpartition(".")
        name, dead, more = f"{destination}.{group}", _DEAD.get(kind), {}
        if dead is not None:
            more = {
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": f"{order}.{dead}.{GROUPS[dead][0]}",
            }
        return Queue(name, Exchange(""), routing_key=name, queue_arguments=more)

    def declare(self, destination: str) -> None:
        with self.app.connection_for_write() as connection:
            for group in GROUPS[destination.rpartition(".")[2]]:
                self.queue(destination, group).bind(connection.default_channel).declare()

    def send(self, destination: str, *bodies: bytes, headers: Any = None) -> None:
        groups = GROUPS[destination.rpartition(".")[2]]
        tasks = [
            self.signature(destination, group, body.decode(), headers=headers)
            for body in bodies
            for group in groups
        ]
        if len(tasks) > 1:
            celery.group(tasks, app=self.app).apply_async()
        else:
            tasks[0].apply_async()

    def put(self, destination: str, body: bytes, headers: Pairs) -> None:
        raise AssertionError("in the story nobody sends without being traced")

    def handle(
        self,
        destination: str,
        handler: Handler,
        *,
        count: int = 1,
        together: bool = False,
        group: str = "kit",
    ) -> None:
        self.handler = handler
        done, self.done = os.pipe()
        queue = self.queue(destination, group)
        worker = os.fork()
        if not worker:
            try:
                self.app.conf.task_queues = [queue]
                self.app.worker_main(
                    [
                        *("worker", "--loglevel", "warning", "--concurrency", "1", "--pool", "prefork"),
                        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
                        *("--hostname", queue.name),
                    ]
                )
            finally:
                os._exit(1)
        os.close(self.done)
        for _ in range(count):
            assert os.read(done, 1), "the worker has died"
        os.kill(worker, signal.SIGTERM)  # it ends in its own time, with the spans it has still to send

    def dead_letter(self, taken: Taken, destination: str, error: Exception) -> None:
        raise Reject(str(error), requeue=False)

    def close(self) -> None:
        self.app.close()


class _Stock(Tasks):
    """The package leaves it to the application that a child of the pool sends its spans before it ends."""

    def __init__(self, service: Any, url: str) -> None:
        super().__init__(service, url)
        provider: TracerProvider = service.provider
        signals.worker_process_shutdown.connect(lambda **_: provider.force_flush(), weak=False)


_OURS = using(Tasks, traced.instrument, traced.uninstrument)
_STOCK = stock("celery:CeleryInstrumentor", _Stock)
_ON_REDIS = frozenset(["graveyard"])

STYLES = (
    Style("Celery on RabbitMQ", "rabbitmq", _OURS),
    Style("Celery on Redis", "redis", _OURS, without=_ON_REDIS),
    Style("stock Celery on RabbitMQ", "rabbitmq", _STOCK, stock=True),
    Style("stock Celery on Redis", "redis", _STOCK, stock=True, without=_ON_REDIS),
)
