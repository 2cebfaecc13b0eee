"""Workers of every kind keep the contexts of their messages apart."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context

from tracing import entity, propagation
from tracing.delivery import Delivery
from tracing.entities import named
from tracing.headers import Headers
from tracing.spans import Messaging
from tracing.testing import Capture

WORKERS = 8
Work = Callable[[int, Callable[[], Any]], Any]


def handled(kafka: Messaging, number: int, wait: Callable[[], None]) -> tuple[int, int, dict[str, Any]]:
    """Handle message ``number``, let the others run in between, and say what is current then."""
    headers = Headers()
    with propagation.attached(Context()), entity("bet", str(number)):
        kafka.send(f"bets-{number}", headers).end()
    creation = Delivery(destination="", headers=headers).creation()
    assert creation is not None
    with kafka.process(Delivery(destination=f"bets-{number}", headers=headers)):
        wait()
        found = trace.get_current_span().get_span_context().trace_id, creation.trace_id, named().attributes()
    assert not trace.get_current_span().get_span_context().is_valid
    return found


def threads(kafka: Messaging) -> list[Any]:
    meet, found = threading.Barrier(WORKERS), []
    rows = [
        threading.Thread(
            target=lambda number=number: found.append(handled(kafka, number, lambda: meet.wait(30)))
        )
        for number in range(WORKERS)
    ]
    for row in rows:
        row.start()
    for row in rows:
        row.join(60)
    return found


def tasks(kafka: Messaging) -> list[Any]:
    async def one(number: int) -> Any:
        headers = Headers()
        with propagation.attached(Context()), entity("bet", str(number)):
            kafka.send(f"bets-{number}", headers).end()
        delivery = Delivery(destination=f"bets-{number}", headers=headers)
        creation = delivery.creation()
        assert creation is not None
        with kafka.process(delivery):
            for _ in range(3):
                await asyncio.sleep(0)
            return (
                trace.get_current_span().get_span_context().trace_id,
                creation.trace_id,
                named().attributes(),
            )

    async def everything() -> list[Any]:
        return await asyncio.gather(*map(one, range(WORKERS)))

    return asyncio.run(everything())


def greenlets(kafka: Messaging) -> list[Any]:
    """As gevent does it: one thread, a context per greenlet, switched in the middle of the work."""
    waiting: list[Any] = []
    found: list[Any] = []

    def start(number: int) -> None:
        context = contextvars.copy_context()
        cm = context.run(lambda: _opened(kafka, number))
        waiting.append((context, cm))

    for number in range(WORKERS):
        start(number)
    for context, (processing, creation) in waiting:
        found.append(
            context.run(
                lambda creation=creation: (
                    trace.get_current_span().get_span_context().trace_id,
                    creation.trace_id,
                    named().attributes(),
                )
            )
        )
        context.run(processing.__exit__, None, None, None)
    return found


def _opened(kafka: Messaging, number: int) -> Any:
    headers = Headers()
    with propagation.attached(Context()), entity("bet", str(number)):
        kafka.send(f"bets-{number}", headers).end()
    delivery = Delivery(destination=f"bets-{number}", headers=headers)
    processing = kafka.process(delivery)
    processing.__enter__()
    return processing, delivery.creation()


@pytest.mark.parametrize("workers", [threads, tasks, greenlets])
def test_each_worker_sees_the_context_of_its_own_message(workers: Callable[[Messaging], list[Any]]) -> None:
    capture = Capture()
    with propagation.attached(Context()):
        found = workers(Messaging("kafka", provider=capture.provider))
    assert WORKERS == len({current for current, _, _ in found})
    assert all(current == creation for current, creation, _ in found)
    assert {str(number) for number in range(WORKERS)} == {
        attributes["throughline.context.bet"] for _, _, attributes in found
    }
    assert WORKERS * 2 == len(capture.spans())
