"""What the kit does not ask of aiokafka: commits, refused messages, tasks, and the client put back as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import aiokafka
import pytest
from aiokafka.errors import KafkaError
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from tracing.headers import Headers
from tracing.integrations import aiokafka as traced
from tracing.integrations.aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from tracing.spans import Messaging
from tracing.testing import Capture

pytestmark = pytest.mark.server
_number = count(1)


@pytest.fixture
def capture() -> Capture:
    return Capture()


@pytest.fixture
def topic() -> str:
    return f"aiokafka-{next(_number)}"


def running(work: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(work(), 120))


async def sent(capture: Capture, url: str, topic: str, *bodies: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=url, provider=capture.provider) as producer:
        for body in bodies:
            await producer.send_and_wait(topic, body, key=b"8812")


def consumer(capture: Capture, url: str, topic: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=url,
        group_id=topic,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        provider=capture.provider,
    )


def test_commits_leave_settle_spans_linked_to_what_they_settle(
    capture: Capture, kafka_url: str, topic: str
) -> None:
    async def work() -> None:
        await sent(capture, kafka_url, topic, b"1", b"2", b"3")
        async with consumer(capture, kafka_url, topic) as taking:
            got = 0
            while got < 3:
                got += sum(map(len, (await taking.getmany(timeout_ms=1000)).values()))
            await taking.commit({aiokafka.TopicPartition(topic, 0): 1})
            await taking.commit()

    running(work)
    sends = [span.context.span_id for span in capture.spans(f"send {topic}")]
    settles = [[link.context.span_id for link in span.links] for span in capture.spans(f"commit {topic}")]
    assert [sends[:1], sends[1:]] == settles


def test_what_the_client_refuses_is_raised_and_its_span_has_the_error(
    capture: Capture, kafka_url: str, topic: str
) -> None:
    async def work() -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=kafka_url, provider=capture.provider, max_request_size=1000
        ) as producer:
            with pytest.raises(KafkaError):
                await producer.send_and_wait(topic, b"x" * 2000)
            with pytest.raises(TypeError):
                await producer.send(topic, 5)

    running(work)
    assert [StatusCode.ERROR] * 2 == [span.status.status_code for span in capture.spans(f"send {topic}")]


def test_a_send_span_is_open_until_the_broker_has_answered(
    capture: Capture, kafka_url: str, topic: str
) -> None:
    async def work() -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=kafka_url, provider=capture.provider, linger_ms=50
        ) as producer:
            answer = await producer.send(topic, b"x")
            assert [] == capture.spans(f"send {topic}")
            await answer

    running(work)
    assert 0 == capture.attributes(f"send {topic}")["messaging.kafka.offset"]


def test_a_task_that_ends_has_done_with_its_message_and_its_error_stays_its_own(
    capture: Capture, kafka_url: str, topic: str
) -> None:
    async def work() -> None:
        await sent(capture, kafka_url, topic, b"1", b"2")
        traced.instrument(provider=capture.provider)
        try:
            async with aiokafka.AIOKafkaConsumer(
                topic, bootstrap_servers=kafka_url, group_id=topic, auto_offset_reset="earliest"
            ) as taking:

                async def one() -> None:
                    record = await taking.getone()
                    assert trace.get_current_span().is_recording()
                    if record.offset == 0:
                        raise LookupError("no account")

                found = await asyncio.gather(one(), one(), return_exceptions=True)
                await asyncio.sleep(0)
                assert ["LookupError", "NoneType"] == sorted(type(error).__name__ for error in found)
                assert 2 == len(capture.spans(f"process {topic}"))
        finally:
            traced.uninstrument()

    running(work)
    by_offset = {
        (span.attributes or {})["messaging.kafka.offset"]: span for span in capture.spans(f"process {topic}")
    }
    assert [StatusCode.ERROR, StatusCode.UNSET] == [by_offset[n].status.status_code for n in (0, 1)]


def test_asyncio_still_warns_of_answers_that_nobody_asked_for(capture: Capture) -> None:
    said: list[str] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, about: said.append(about["message"]))
        answer = loop.create_future()
        answer.set_exception(KafkaError())
        traced._answered(Messaging("kafka", provider=capture.provider).send("bets", Headers()), answer)

    running(work)
    assert "KafkaError" == capture.attributes("send bets")["error.type"]
    assert ["Future exception was never retrieved"] == said


def test_instrument_covers_what_was_imported_earlier_and_uninstrument_puts_it_back(capture: Capture) -> None:
    before = aiokafka.AIOKafkaProducer, aiokafka.AIOKafkaConsumer
    traced.instrument(provider=capture.provider)
    assert issubclass(aiokafka.AIOKafkaConsumer, AIOKafkaConsumer)
    traced.uninstrument()
    assert before == (aiokafka.AIOKafkaProducer, aiokafka.AIOKafkaConsumer)
