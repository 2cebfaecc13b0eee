"""Celery on a real RabbitMQ, with real workers in processes of their own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import celery
import pytest
from celery import chain, chord
from kombu.exceptions import OperationalError
from opentelemetry import trace
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.trace import StatusCode

from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.tracing.integrations.celery_bench import Bench, attributes, worker
from tracing import entity, envelope
from tracing.integrations import celery as traced
from tracing.testing import Capture

pytestmark = pytest.mark.server


@pytest.fixture(autouse=True)
def _instrumented(capture: Capture) -> Iterator[None]:
    traced.instrument(capture.provider)
    yield
    traced.uninstrument()


@pytest.fixture(scope="module", params=["rabbitmq", "redis"])
def bench(request: pytest.FixtureRequest, rabbitmq: RabbitMQ, redis_server: Redis) -> Iterator[Bench]:
    broker = rabbitmq.url if request.param == "rabbitmq" else redis_server.url
    with worker(broker, redis_server.url) as made:
        yield made


@pytest.fixture
def story(bench: Bench, capture: Capture) -> Iterator[Story]:
    with capture.provider.get_tracer("t").start_as_current_span("request") as span:
        yield Story(bench, capture, span.get_span_context().trace_id)


class Story:
    """One trace: what this process sent, and what the worker did."""

    def __init__(self, bench: Bench, capture: Capture, trace_id: int) -> None:
        self.bench, self.capture = bench, capture
        self._trace_id = trace_id.to_bytes(16, "big")

    def signature(self, name: str, *args: Any, **options: Any) -> Any:
        return self.bench.app.signature(name, args=args, options=options)

    def spans(self, name: str, count: int = 1) -> list[Span]:
        """The worker's spans of this trace, in the order they began."""
        found: list[Span] = []

        def enough() -> bool:
            found[:] = [span for span in self.bench.spans(name) if span.trace_id == self._trace_id]
            return len(found) >= count

        self.bench.sink.wait(enough, 60)
        assert count == len(found)
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    def sent(self, name: str) -> bytes:
        return self.capture.span(f"send {name}").context.span_id.to_bytes(8, "big")


def test_a_task_runs_inside_a_span_that_is_the_senders_child(story: Story) -> None:
    event = envelope.new("OrderPlaced", "/shop")
    with entity("order", "7"):
        result = traced.apply_async(story.signature("place"), (7,), event=event)
    assert 7 == result.get(timeout=30)
    (run,), (db,) = story.spans("run place"), story.spans("db")
    assert story.sent("place") == run.parent_span_id
    assert story.sent("place") == run.links[0].span_id
    assert run.span_id == db.parent_span_id
    send, process = story.capture.attributes("send place"), attributes(run)
    for found in (send, process):
        assert ("celery", story.bench.queue, "place", event.id) == tuple(
            found[key]
            for key in (
                "messaging.system",
                "messaging.destination.name",
                "celery.task_name",
                "messaging.message.id",
            )
        )
    assert ("send", "process", 1, "7") == (
        send["messaging.operation.type"],
        process["messaging.operation.type"],
        process["throughline.message.attempt"],
        process["throughline.context.order"],
    )
    assert "request" == trace.get_current_span().name  # type: ignore[attr-defined]


def test_every_retry_is_a_message_of_its_own_and_the_next_attempt(story: Story) -> None:
    assert 2 == story.signature("again").apply_async().get(timeout=60)
    runs, sends = story.spans("run again", 3), story.spans("send again", 2)
    assert [1, 2, 3] == [attributes(run)["throughline.message.attempt"] for run in runs]
    assert [run.span_id for run in runs[:2]] == [send.parent_span_id for send in sends]
    assert [story.sent("again"), *(send.span_id for send in sends)] == [run.parent_span_id for run in runs]
    assert ["TimeoutError", "TimeoutError", None] == [attributes(run).get("error.type") for run in runs]


def test_a_chain_is_one_story_from_task_to_task(story: Story) -> None:
    chain(story.signature("place", 1), story.signature("place")).apply_async().get(timeout=30)
    first, second = story.spans("run place", 2)
    (send,) = story.spans("send place")
    assert story.sent("place") == first.parent_span_id
    assert first.span_id == send.parent_span_id
    assert send.span_id == second.parent_span_id


def test_a_chord_joins_what_it_sent_apart(story: Story) -> None:
    header = [story.signature("place", number) for number in range(3)]
    assert 3 == chord(header)(story.signature("add")).get(timeout=60)
    placed = story.spans("run place", 3)
    (send,), (add,) = story.spans("send add"), story.spans("run add")
    sent = {span.context.span_id.to_bytes(8, "big") for span in story.capture.spans("send place")}
    assert sent == {run.parent_span_id for run in placed}
    assert send.parent_span_id in {run.span_id for run in placed}
    assert send.span_id == add.parent_span_id


def test_a_task_that_fails_says_so(story: Story) -> None:
    with pytest.raises(ValueError, match="no stock"):
        story.signature("fail").apply_async().get(timeout=30)
    (run,) = story.spans("run fail")
    assert (Status.STATUS_CODE_ERROR, "ValueError") == (run.status.code, attributes(run)["error.type"])


def test_a_task_that_leaves_is_told_of_once(story: Story) -> None:
    story.signature("leave").apply_async()
    (run,) = story.spans("run leave")
    assert "WorkerLostError" == attributes(run)["error.type"]
    assert 9 == story.signature("place", 9).apply_async().get(timeout=60)
    story.spans("run leave")


def test_tasks_that_never_ran_say_why(story: Story) -> None:
    task_id = str(uuid.uuid4())
    story.bench.app.control.revoke(task_id, reply=True, timeout=10, limit=1)
    story.signature("place", 1).apply_async(task_id=task_id)
    kept = "redis" in story.bench.app.conf.broker_url  # RabbitMQ itself drops what has expired
    if kept:
        story.signature("place", 2).apply_async(expires=datetime.now(UTC) - timedelta(hours=1))
    story.signature("nothing").apply_async()
    runs = story.spans("run place", 1 + kept)
    assert {"revoked", "expired"} - ({"expired"} if not kept else set()) == {
        run.status.message for run in runs
    }
    assert {"Revoked"} == {attributes(run)["error.type"] for run in runs}
    (unknown,) = story.spans("run nothing")
    assert "NotRegistered" == attributes(unknown)["error.type"]


def test_a_task_that_is_terminated_or_too_slow_is_told_of_by_the_workers_main_process(story: Story) -> None:
    slow = story.signature("linger", 3600).apply_async(time_limit=1)
    with pytest.raises(Exception, match="TimeLimitExceeded"):
        slow.get(timeout=60)
    (run,) = story.spans("run linger")
    assert "TimeLimitExceeded" == attributes(run)["error.type"]
    assert run.end_time_unix_nano - run.start_time_unix_nano > 500_000_000
    story.signature("linger", 3600).apply_async(task_id="t1")
    inspect = story.bench.app.control.inspect(timeout=5, limit=1)
    while not any(one["id"] == "t1" for tasks in (inspect.active() or {}).values() for one in tasks):
        pass
    story.bench.app.control.revoke("t1", terminate=True)
    assert "terminated" == story.spans("run linger", 2)[1].status.message


def test_a_task_whose_process_dies_is_told_of_and_its_next_delivery_is_the_next_attempt(story: Story) -> None:
    assert "survived" == story.signature("die").apply_async().get(timeout=60)
    lost, run = story.spans("run die", 2)
    assert ("WorkerLostError", None) == tuple(attributes(one).get("error.type") for one in (lost, run))
    assert [1, 2] == [attributes(one)["throughline.message.attempt"] for one in (lost, run)]


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": 7, "baggage": True},
        {"traceparent": None, "tracestate": None},
        {"traceparent": "00-zz", "Traceparent": "00-yy", "TRACEPARENT": "x"},
        {"traceparent": {"deep": [1]}, "tracestate": ["a", {"b": 1}]},
        {"traceparent": "y" * 20_000, "blob": "x" * 60_000},
    ],
)
def test_poison_headers_hurt_no_task(story: Story, headers: dict[str, Any]) -> None:
    traced.uninstrument()
    assert 5 == story.signature("place", 5).apply_async(headers=headers).get(timeout=30)
    traced.instrument(story.capture.provider)
    assert 6 == story.signature("place", 6).apply_async(headers=headers).get(timeout=30)
    (run,) = story.spans("run place")
    assert story.sent("place") == run.parent_span_id


def test_a_task_that_cannot_be_sent_ends_its_span_and_leaves_nothing_current(capture: Capture) -> None:
    lonely = celery.Celery("client", broker="amqp://127.0.0.1:1//", backend="cache+memory://")
    with pytest.raises(OperationalError):
        lonely.signature("place").apply_async(retry=False)
    assert StatusCode.ERROR is capture.span("send place").status.status_code
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_task_that_runs_in_place_was_never_sent(capture: Capture) -> None:
    app = celery.Celery("client", broker="memory://")

    @app.task(name="eager")  # type: ignore[untyped-decorator]
    def eager() -> int:
        return 5

    assert 5 == eager.apply().get()
    assert [] == capture.spans()
