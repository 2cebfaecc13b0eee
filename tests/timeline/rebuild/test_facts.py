"""One fact per identity, whatever arrived first."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from tests.builders import event, ref, span, stored
from tests.timeline.rebuild.cast import ms, posted, spanned
from timeline.domain import EventInfo, Link, Message, Stored
from timeline.rebuild.facts import gather, leaders, role_of, sequence_key


def variants() -> list[Stored]:
    """One span with two contents: the second to arrive is stored under its own id."""
    first = stored(span(name="b"), content="bb")
    second = stored(
        span(name="a"),
        content="aa",
        identity=first.receipt.identity,
        id=first.receipt.id[:8] + "v" * 12,
        variant=True,
    )
    return [first, second]


def test_repeats_of_a_fact_count_once() -> None:
    one = spanned(1, 1, 0, 1)
    again = msgspec.structs.replace(
        one, receipt=msgspec.structs.replace(one.receipt, received=one.receipt.received + 9)
    )
    found = gather([again, one, one])
    assert [(one.receipt.id, 0, one.receipt.received)] == [(k.id, k.variants, k.received) for k in found]


def test_the_smallest_content_leads_under_the_id_that_both_would_have_had() -> None:
    first, second = variants()
    found = gather([first, second])
    assert [("a", first.receipt.id, 1)] == [(known.fact.name, known.id, known.variants) for known in found]
    assert {first.receipt.id: second} == leaders([second, first])


def test_which_content_came_first_changes_nothing() -> None:
    a, b = variants()
    swapped = [
        msgspec.structs.replace(a, receipt=msgspec.structs.replace(a.receipt, id=b.receipt.id, variant=True)),
        msgspec.structs.replace(
            b, receipt=msgspec.structs.replace(b.receipt, id=a.receipt.id, variant=False)
        ),
    ]
    seen = {tuple((k.id, k.fact.name) for k in gather(order)) for order in (variants(), swapped)}
    assert {((a.receipt.id, "a"),)} == seen


def test_contents_whose_times_differ_keep_the_leader_s_own_id() -> None:
    early, late = stored(span(start=ms(0)), content="bb"), stored(span(start=ms(5000)), content="aa")
    assert early.receipt.identity == late.receipt.identity
    assert [late.receipt.id] == [known.id for known in gather([early, late])]


def test_raw_order_is_time_then_sequence_then_observed_then_tie() -> None:
    facts = [
        posted(1, 5, event=EventInfo(source="s", id="1", sequence="10")),
        posted(2, 5, event=EventInfo(source="s", id="2", sequence="9")),
        posted(3, 5, event=EventInfo(source="s", id="3"), observed=9),
        posted(4, 5, event=EventInfo(source="s", id="4"), observed=8),
        posted(5, 5, event=EventInfo(source="s", id="5"), observed=8, receipt={"tie": -1}),
        posted(6, None, event=EventInfo(source="s", id="6")),
        posted(7, 4, event=EventInfo(source="s", id="7")),
    ]
    wanted = ["7", "5", "4", "3", "2", "1", "6"]
    for order in itertools.islice(itertools.permutations(facts), 0, 5040, 97):
        assert wanted == [known.fact.event.id for known in gather(order) if known.fact.event]


@pytest.mark.parametrize(("low", "high"), [("9", "10"), (None, "0"), ("99", "abc"), ("a", "b"), ("٣", "٤")])
def test_sequences_compare_as_numbers_where_they_are_numbers(low: str | None, high: str) -> None:
    assert sequence_key(low) < sequence_key(high)


@pytest.mark.parametrize(
    ("kind", "role"), [("producer", "send"), ("consumer", "process"), ("client", ""), ("internal", "")]
)
def test_a_span_without_an_operation_goes_by_its_kind(kind: str, role: str) -> None:
    assert role == role_of(span(kind=kind, parent="a" * 16))


def test_a_consumer_span_that_names_no_message_and_hangs_on_nothing_takes_no_part() -> None:
    assert "" == role_of(span(kind="consumer"))
    assert "process" == role_of(span(kind="consumer", links=(Link(ref=ref(2, 2)),)))
    assert "process" == role_of(span(kind="consumer", message=Message(destination="bets")))


def test_only_posted_events_and_records_publish() -> None:
    kinds = ("cloudevent", "record", "log", "import")
    assert ["event", "record", "", ""] == [role_of(event(kind=kind)) for kind in kinds]


def test_an_event_without_a_service_stands_where_it_was_made() -> None:
    around = spanned(1, 1, 0, 9, service="wallet")
    inside = posted(1, 3, service="", ref=around.fact.ref)
    alone = posted(2, 4, service="", event=EventInfo(source="/feed", id="x"))
    assert ["wallet", "wallet", "/feed"] == [known.service for known in gather([around, inside, alone])]


def test_facts_of_the_closure_are_known_and_not_shown() -> None:
    one, two = spanned(1, 1, 0, 1), spanned(1, 2, 1, 2)
    assert [True, False] == [known.shown for known in gather([one], [two, one])]
