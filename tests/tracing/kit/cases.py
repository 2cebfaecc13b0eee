"""The cases: 0 lost contexts, 0 exceptions into the application, 0 double spans."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from tests.tracing.kit.transport import RefusedError, Taken, Transport
from tracing import entity, propagation
from tracing.guard import losses
from tracing.headers import Headers
from tracing.testing import Capture

_number = count(1)
BATCH = 20
TRACE = "4f1c7be29a0d4e63b85f20c7d91ae346"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
LARGE = "x" * (200 * 1024)
POISON: dict[str, list[tuple[str, Any]]] = {
    "not UTF-8": [("traceparent", b"\xff\xfe\x00"), ("tracestate", b"\x80"), ("baggage", b"\xff=\xff")],
    "an integer": [("traceparent", 7), ("baggage", 12)],
    "None": [("traceparent", None), ("tracestate", None), ("baggage", None)],
    "twice": [("traceparent", b"00-zz"), ("traceparent", PARENT.encode()), ("ce_id", b""), ("ce_id", b"x")],
    "200 KB": [("traceparent", LARGE.encode()), ("baggage", f"a={LARGE}".encode())],
}
# what the library may count while it reads those
_EXPECTED = {
    "bad traceparent",
    "duplicate traceparent",
    "bad baggage member",
    "baggage member over the limit",
    "incomplete envelope",
}


def ids(spans: list[ReadableSpan]) -> list[int]:
    """The span ids."""
    return [span.context.span_id for span in spans]


def attribute(span: ReadableSpan, name: str) -> Any:
    """One attribute of a span."""
    return (span.attributes or {}).get(name)


def parent(span: ReadableSpan) -> int | None:
    """The id of the span's parent."""
    return span.parent.span_id if span.parent else None


class Cases:
    """Inherit, and give the fixture ``transport``."""

    @pytest.fixture
    def capture(self) -> Iterator[Capture]:
        with propagation.attached(Context()):
            yield Capture()

    @pytest.fixture
    def destination(self, transport: Transport) -> str:
        return self.made(transport)

    def made(self, transport: Transport) -> str:
        name = f"kit-{next(_number)}"
        transport.declare(name)
        return name

    def operation(self, capture: Capture, kind: str, destination: str = "") -> list[ReadableSpan]:
        """Spans of one operation type, of one destination where it is given."""
        return [
            span
            for span in capture.spans()
            if attribute(span, "messaging.operation.type") == kind
            and (not destination or destination in str(attribute(span, "messaging.destination.name")))
        ]

    def assert_one_trace(self, capture: Capture) -> None:
        """All that was sent and handled; a receive or settle span may begin a trace of its own."""
        told = self.operation(capture, "send") + self.operation(capture, "process")
        assert 1 == len({span.context.trace_id for span in told})

    @pytest.fixture(autouse=True)
    def _nothing_swallowed(self) -> Iterator[None]:
        before = losses()
        yield
        fresh = {reason for reason, number in losses().items() if number != before.get(reason, 0)}
        assert set() == fresh - _EXPECTED, "the library swallowed an error of its own"

    def test_a_single_message_is_one_trace_from_sender_to_handler(
        self, capture: Capture, transport: Transport, destination: str
    ) -> None:
        tracer = capture.provider.get_tracer("t")
        with tracer.start_as_current_span("order"), entity("order", "o-1"):
            transport.send(destination, b"placed")
        bodies: list[bytes] = []

        def handler(taken: Taken) -> None:
            bodies.append(taken.body)
            with tracer.start_as_current_span("work"):
                pass

        transport.handle(destination, handler)
        assert [b"placed"] == bodies
        (send,), (process,) = self.operation(capture, "send"), self.operation(capture, "process")
        assert capture.span("order").context.span_id == parent(send)
        assert send.context.span_id == parent(process)
        assert send.context.span_id in [link.context.span_id for link in process.links]
        assert process.context.span_id == parent(capture.span("work"))
        assert "o-1" == attribute(process, "throughline.context.order")
        assert "o-1" == attribute(capture.span("work"), "throughline.context.order")
        assert not trace.get_current_span().get_span_context().is_valid

    def test_each_message_of_a_batch_is_linked_and_handled_in_its_own_context(
        self, capture: Capture, transport: Transport, destination: str
    ) -> None:
        bodies = [str(number).encode() for number in range(BATCH)]
        for body in bodies:
            with entity("order", body.decode()):
                transport.send(destination, body)
        seen: dict[bytes, Any] = {}
        tracer = capture.provider.get_tracer("t")

        def handler(taken: Taken) -> None:
            with tracer.start_as_current_span(f"work {taken.body.decode()}") as span:
                seen[taken.body] = span.get_span_context().trace_id

        transport.handle(destination, handler, count=BATCH, together=True)
        assert sorted(bodies) == sorted(seen)
        sends, processes = self.operation(capture, "send"), self.operation(capture, "process")
        assert BATCH == len(sends) == len(processes)
        assert sorted(ids(sends)) == sorted(parent(process) or 0 for process in processes)
        receives = self.operation(capture, "receive")
        if receives:
            linked = [link.context.span_id for span in receives for link in span.links]
            assert sorted(ids(sends)) == sorted(linked)
        for body in bodies:
            work = capture.attributes(f"work {body.decode()}")
            assert body.decode() == work["throughline.context.order"]

    def test_a_message_that_is_tried_again_is_the_same_message_with_the_next_attempt(
        self, capture: Capture, transport: Transport, destination: str
    ) -> None:
        transport.send(destination, b"pay")
        tries: list[bytes] = []

        def handler(taken: Taken) -> None:
            tries.append(taken.body)
            if len(tries) == 1:
                raise RefusedError("no answer")

        transport.handle(destination, handler)
        assert [b"pay", b"pay"] == tries
        (send,), processes = self.operation(capture, "send"), self.operation(capture, "process")
        assert [send.context.span_id] * 2 == [parent(process) for process in processes]
        assert [StatusCode.ERROR, StatusCode.UNSET] == [span.status.status_code for span in processes]
        if transport.attempts_counted:
            assert [1, 2] == [attribute(span, "throughline.message.attempt") for span in processes]

    def test_a_message_that_is_sent_on_has_one_parent_the_handler_it_comes_from(
        self, capture: Capture, transport: Transport, destination: str
    ) -> None:
        further = self.made(transport)
        transport.send(destination, b"packed")
        transport.handle(
            destination, lambda taken: transport.send(further, taken.body, headers=taken.headers)
        )
        carried: list[list[str]] = []
        transport.handle(further, lambda taken: carried.append(Headers(taken.headers).all("traceparent")))
        first, second = self.operation(capture, "send")
        one, two = self.operation(capture, "process")
        assert [None, first.context.span_id] == [parent(first), parent(one)]
        assert [one.context.span_id, second.context.span_id] == [parent(second), parent(two)]
        assert [[propagation.format_traceparent(second.context)]] == carried
        self.assert_one_trace(capture)

    def test_a_dead_letter_says_why_and_where_it_died(
        self, capture: Capture, transport: Transport, destination: str
    ) -> None:
        graveyard = self.made(transport)
        transport.send(destination, b"\x00")
        transport.handle(
            destination, lambda taken: transport.dead_letter(taken, graveyard, LookupError("no account"))
        )
        transport.handle(graveyard, lambda taken: None)
        (died,) = self.operation(capture, "process", graveyard)
        assert "no account" in attribute(died, "throughline.dead_letter.reason")
        assert destination in attribute(died, "throughline.dead_letter.source")
        self.assert_one_trace(capture)

    @pytest.mark.parametrize("poison", POISON)
    def test_a_poisoned_header_reaches_the_handler_and_harms_nobody(
        self, capture: Capture, transport: Transport, destination: str, poison: str
    ) -> None:
        headers = [
            (name, value if transport.headers_typed or not isinstance(value, int) else str(value).encode())
            for name, value in POISON[poison]
            if (value is not None or transport.headers_null)
            and len(value if isinstance(value, bytes) else b"") <= transport.longest_header
        ]
        if not transport.headers_repeat:
            headers = list(dict(headers).items())
        further = self.made(transport)
        transport.put(destination, b"x", [("app", b"mine"), *headers])
        seen: list[Any] = []

        def handler(taken: Taken) -> None:
            seen.append(taken.headers)
            transport.send(further, taken.body, headers=taken.headers)

        transport.handle(destination, handler)
        carried: list[Headers] = []
        transport.handle(further, lambda taken: carried.append(Headers(taken.headers)))
        assert 1 == len(seen)
        (send,), processes = self.operation(capture, "send"), self.operation(capture, "process")
        assert 2 == len(processes)
        (found,) = carried
        assert [propagation.format_traceparent(send.context)] == found.all("traceparent")
        assert ["mine"] == found.all("app")
