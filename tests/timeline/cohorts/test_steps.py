"""A step is what happened: the event type, else what was done with a destination, else the span's name."""

from tests import builders as b
from timeline.cohorts.steps import step_name, step_of
from timeline.domain import EventInfo, Fact, Message, Row


def _step(fact: Fact) -> str | None:
    return step_of(Row.of(b.stored(fact)))


def test_an_event_is_a_step_by_its_type() -> None:
    assert "OrderPlaced" == _step(b.event())


def test_the_span_that_carries_an_event_is_the_same_step() -> None:
    carried = EventInfo(type="OrderPlaced")
    sent = Message(destination="orders", operation="send")
    assert "OrderPlaced" == _step(b.span(name="send orders", event=carried, message=sent))


def test_a_message_is_a_step_by_operation_and_destination() -> None:
    assert "process bets" == _step(b.span(message=Message(destination="bets", operation="process")))
    assert "send bets" == _step(b.span(kind="producer", message=Message(destination="bets")))
    assert "process bets" == _step(b.span(kind="consumer", message=Message(destination="bets")))
    assert "bets" == _step(b.event(kind="record", event=None, message=Message(destination="bets")))


def test_any_other_span_is_a_step_by_its_name() -> None:
    assert "POST /bets" == _step(b.span(name="POST /bets"))
    assert None is _step(b.span(name=""))


def test_a_log_record_is_a_step_only_with_an_event_type() -> None:
    assert None is _step(b.event(kind="log", name="bet 8812 was slow", event=None))
    assert "BetSlow" == _step(b.event(kind="log", event=EventInfo(type="BetSlow")))


def test_a_long_name_is_cut_and_two_long_names_stay_apart() -> None:
    one, two = "x" * 500 + "1", "x" * 500 + "2"
    assert step_name(one) != step_name(two)
    assert len(step_name(one)) <= 290
    assert step_name(one) == step_name(step_name(one))
    assert step_name(one) == _step(b.span(name=one))
