from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import StatusCode

from tests.tracing.broken import Broken
from tracing import propagation
from tracing.delivery import Delivery
from tracing.guard import losses
from tracing.handover import UNSETTLED, Handover
from tracing.headers import Headers
from tracing.spans import MOST_LINKS, Messaging, Processing
from tracing.testing import Capture


@pytest.fixture
def capture() -> Capture:
    return Capture()


def handover(capture: Capture, *, automatic: bool = True) -> Handover:
    return Handover(Messaging("kafka", provider=capture.provider), automatic=automatic)


def delivery(capture: Capture, offset: int = 0) -> Delivery:
    headers = Headers()
    Messaging("kafka", provider=capture.provider).send("bets", headers).end()
    return Delivery(destination="bets", headers=headers, partition=0, offset=offset)


def test_what_is_handed_over_is_being_processed_until_the_next_is_asked_for(capture: Capture) -> None:
    with propagation.attached(Context()):
        kept = handover(capture)
        kept.handed(delivery(capture))
        inside = trace.get_current_span()
        assert inside.is_recording()
        assert [] == capture.spans("process bets")
        kept.finish()
        assert not trace.get_current_span().get_span_context().is_valid
    assert inside.get_span_context().span_id == capture.span("process bets").context.span_id
    assert StatusCode.UNSET is capture.span("process bets").status.status_code


def test_an_exception_that_began_after_the_hand_over_is_the_handlers(capture: Capture) -> None:
    kept = handover(capture)
    kept.handed(delivery(capture))
    try:
        raise LookupError("no account")
    except LookupError:
        kept.finish()
    assert "LookupError" == capture.attributes("process bets")["error.type"]


def test_an_exception_that_was_there_before_is_not(capture: Capture) -> None:
    kept = handover(capture)
    try:
        raise LookupError("why this loop runs at all")
    except LookupError:
        kept.handed(delivery(capture))
        kept.finish()
    assert StatusCode.UNSET is capture.span("process bets").status.status_code


def test_saying_process_takes_over_what_is_open_so_that_there_is_one_span(capture: Capture) -> None:
    kept, one = handover(capture), delivery(capture)
    kept.handed(one)
    with kept.process(one, 7) as span:
        assert trace.get_current_span() is span
    kept.finish()
    assert 7 == capture.attributes("process bets")["throughline.message.attempt"]
    with kept.process(one):
        pass
    assert [7, 8] == [
        (span.attributes or {})["throughline.message.attempt"] for span in capture.spans("process bets")
    ]


def test_threads_that_share_a_consumer_do_not_end_each_others_handling(capture: Capture) -> None:
    kept = handover(capture)
    kept.handed(delivery(capture, 1))
    seen: list[bool] = []

    def other() -> None:
        seen.append(trace.get_current_span().get_span_context().is_valid)
        kept.finish()
        kept.handed(delivery(capture, 2))
        kept.finish()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert [False] == seen
    assert [2] == [
        (span.attributes or {})["messaging.kafka.offset"] for span in capture.spans("process bets")
    ]
    kept.finish_all()
    assert 2 == len(capture.spans("process bets"))


def test_more_messages_than_a_span_can_link_are_received_in_several_and_all_linked(capture: Capture) -> None:
    kept = handover(capture, automatic=False)
    rows = [delivery(capture, number) for number in range(MOST_LINKS + 1)]
    kept.received(rows)
    polls = capture.spans("poll bets")
    assert [MOST_LINKS, 1] == [len(span.links) for span in polls]
    with kept.process(rows[-1]):
        pass
    assert polls[-1].context.span_id in [link.context.span_id for link in capture.span("process bets").links]
    kept.settled()
    assert [MOST_LINKS, 1] == [len(span.links) for span in capture.spans("commit bets")]
    kept.settled()
    assert 2 == len(capture.spans("commit bets"))


def test_a_settle_that_failed_settles_nothing(capture: Capture) -> None:
    kept = handover(capture, automatic=False)
    kept.received([delivery(capture)])
    kept.settled(error=TimeoutError("no answer"))
    kept.settled()
    assert [StatusCode.ERROR, StatusCode.UNSET] == [
        span.status.status_code for span in capture.spans("commit bets")
    ]


def test_what_waits_to_be_settled_is_bounded_in_number_and_keeps_no_body(capture: Capture) -> None:
    kept = handover(capture, automatic=False)
    large = Headers({"x": "y" * 100_000, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    for number in range(UNSETTLED + 5):
        kept.received([Delivery(destination="bets", headers=large, partition=0, offset=number, body=b"x")])
    rows = kept.before("bets", 0, 10**9)
    assert UNSETTLED == len(rows)
    assert {None} == {row.body for row in rows}
    assert max(row.headers.size for row in rows) < 100


def test_a_broken_tracer_never_reaches_the_application() -> None:
    kept = Handover(Messaging("kafka", provider=Broken("start")), automatic=True)
    before = losses().get("process span", 0)
    one = Delivery(destination="bets", offset=1)
    kept.received([one, one])
    kept.handed(one)
    with kept.process(one):
        pass
    kept.settled()
    kept.finish_all()
    assert losses()["process span"] > before


def test_a_span_that_breaks_when_it_ends_never_reaches_the_handler() -> None:
    class Broken:
        def is_recording(self) -> bool:
            raise RuntimeError

    before = losses().get("process span", 0)
    with Processing(Broken(), Context()):  # type: ignore[arg-type]
        pass
    assert before + 1 == losses()["process span"]


def test_asking_for_another_message_than_the_open_one_ends_the_open_one(capture: Capture) -> None:
    kept = handover(capture)
    kept.handed(delivery(capture, 1))
    with kept.process(delivery(capture, 2)):
        assert [1] == [
            (span.attributes or {})["messaging.kafka.offset"] for span in capture.spans("process bets")
        ]


EXIT = """
from tracing.handover import Handover
from tracing.delivery import Delivery
from tracing.spans import Messaging
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, ConsoleSpanExporter
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
kept = Handover(Messaging("kafka", provider=provider), automatic=True)
kept.handed(Delivery(destination="bets"))
"""


def test_what_is_open_when_the_process_ends_is_ended() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXIT], capture_output=True, text=True, timeout=60, check=True
    )
    assert "process bets" in done.stdout
