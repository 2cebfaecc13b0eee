"""Whole traces are found by what one of their spans is, on every store."""

from tests import builders as b
from timeline.domain import Link, Stored
from timeline.reading.traces import SPANS, Calls, Traces
from timeline.search.query import AttributeIs, FieldIs, Window
from timeline.store.port import Store

EVER = Window(start=0, end=b.NOW + 10**12)


def _span(trace: int, number: int, service: str, **fields: object) -> Stored:
    start = b.NOW + trace * 1_000 + number
    return b.stored(
        b.span(trace=trace, number=number, service=service, start=start, end=start + 10, **fields)
    )


def _told(store: Store) -> Traces:
    """Five traces: a shop sends, a warehouse of the next trace handles by a link, a bank is called."""
    facts = []
    for trace in range(1, 6):
        facts.append(_span(trace, 1, "shop", attributes={"colour": "red" if trace == 2 else "blue"}))
        facts.append(_span(trace, 2, "bank", parent=b.span_id(1), status="error" if trace == 3 else "ok"))
        links = (Link(ref=b.ref(trace - 1, 1)),) if trace > 1 else ()
        facts.append(_span(trace, 3, "warehouse", links=links))
    facts.append(b.stored(b.event(1, ref=b.ref(2, 1), at=b.NOW + 2_001)))
    store.write(facts, visible=True)
    return Traces(store, "main")


def test_a_trace_is_whole_though_one_span_of_it_was_asked_for(store: Store) -> None:
    traces = _told(store)
    (found,) = traces.find(AttributeIs("colour", "red"), EVER, 20)
    assert {b.trace_id(2)} == {one.fact.ref.trace_id for one in found if one.fact.ref}
    assert ["span", "event", "span", "span"] == [type(one.fact).__name__.lower() for one in found]


def test_the_newest_traces_come_first_and_no_more_than_asked(store: Store) -> None:
    found = _told(store).find(FieldIs("service", "shop"), EVER, 3)
    assert [5, 4, 3] == [number for facts in found for number in range(1, 6) if _is(facts, number)]


def _is(facts: list[Stored], number: int) -> bool:
    return all(one.fact.ref and one.fact.ref.trace_id == b.trace_id(number) for one in facts)


def test_traces_come_in_the_order_named_and_unknown_ones_are_left_out(store: Store) -> None:
    found = _told(store).whole([b.trace_id(4), b.trace_id(99), b.trace_id(1)])
    assert [True, True] == [_is(facts, number) for facts, number in zip(found, (4, 1), strict=True)]
    assert [] == _told(store).whole([])


def test_names_are_those_of_spans_only(store: Store) -> None:
    traces = _told(store)
    store.write([b.stored(b.event(7, service="only events"))], visible=True)
    assert ["bank", "shop", "warehouse"] == traces.names("service", SPANS)


def test_calls_are_counted_by_parent_and_by_link(store: Store) -> None:
    assert [
        Calls(parent="shop", child="bank", count=5, errors=1),
        Calls(parent="shop", child="warehouse", count=4, errors=0),
    ] == _told(store).calls(EVER)


def test_nothing_of_another_window_is_counted(store: Store) -> None:
    assert [] == _told(store).calls(Window(start=0, end=b.NOW))
    assert [] == _told(store).find(FieldIs("service", "shop"), Window(start=0, end=b.NOW), 20)


def test_a_call_told_by_both_sides_under_one_id_is_one(store: Store) -> None:
    facts = [
        _span(9, 5, "shop", kind="client"),
        _span(9, 5, "bank", kind="server"),
        _span(9, 6, "bank", kind="internal", parent=b.span_id(5)),
    ]
    store.write(facts, visible=True)
    assert [Calls(parent="shop", child="bank", count=1, errors=0)] == Traces(store, "main").calls(EVER)
