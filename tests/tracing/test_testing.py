from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.trace import Link

from tracing.testing import Capture


@pytest.fixture
def capture() -> Capture:
    made = Capture()
    tracer = made.provider.get_tracer("t")
    with tracer.start_as_current_span("send bets", attributes={"a": 1}) as send:
        tracer.start_span("process bets", links=[Link(send.get_span_context())]).end()
    return made


def test_spans_are_found_by_name_with_their_attributes(capture: Capture) -> None:
    assert {"a": 1} == capture.attributes("send bets")
    assert ["process bets", "send bets"] == [span.name for span in capture.spans()]
    capture.clear()
    assert [] == capture.spans()


def test_what_is_so_can_be_asserted(capture: Capture) -> None:
    capture.assert_child("process bets", of="send bets")
    capture.assert_linked("process bets", to="send bets")
    capture.assert_one_trace()


def test_a_failed_assert_says_what_there_is(capture: Capture) -> None:
    with pytest.raises(AssertionError, match="process bets, send bets"):
        capture.span("send stakes")
    with pytest.raises(AssertionError, match="is not a child"):
        capture.assert_child("send bets", of="process bets")
    with pytest.raises(AssertionError, match="does not link 1"):
        capture.assert_linked("send bets", to="process bets")
    with pytest.raises(AssertionError, match="does not link any"):
        capture.assert_linked("send bets", to="nothing")
    capture.provider.get_tracer("t").start_span("alone").end()
    with pytest.raises(AssertionError, match="2 traces"):
        capture.assert_one_trace()


def test_it_becomes_the_provider_of_the_process_where_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[object] = []
    monkeypatch.setattr(trace, "set_tracer_provider", given.append)
    capture = Capture()
    assert capture is capture.as_global()
    assert [capture.provider] == given
