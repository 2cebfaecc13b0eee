"""Trace Context level 2 and Baggage, rule by rule, on a message that comes through a service and goes on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, trace
from opentelemetry.context import Context

from tracing import propagation
from tracing.delivery import Delivery
from tracing.guard import losses
from tracing.headers import Headers, octets
from tracing.spans import Messaging
from tracing.testing import Capture

TRACE, SPAN = "4f1c7be29a0d4e63b85f20c7d91ae346", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def through(carrier: Any) -> Headers:
    """What goes on when a handler sends a message while it handles one with these headers."""
    kafka, headers = Messaging("kafka", provider=Capture().provider), Headers()
    with propagation.attached(Context()), kafka.process(Delivery(destination="a", headers=Headers(carrier))):
        kafka.send("b", headers).end()
    return headers


def goes_on(carrier: Any) -> bool:
    """Whether the trace of the headers goes on."""
    found = propagation.parse_traceparent(through(carrier).get("traceparent") or "")
    assert found is not None, "whatever comes in, a valid traceparent goes out"
    return f"{found.trace_id:032x}" == TRACE


def flags(value: str) -> int:
    found = propagation.parse_traceparent(through({"traceparent": value}).get("traceparent") or "")
    assert found is not None
    return int(found.trace_flags)


def state(*values: str) -> str | None:
    return through([("traceparent", PARENT), *(("tracestate", value) for value in values)]).get("tracestate")


def test_a_traceparent_is_version_trace_id_parent_id_and_flags() -> None:
    assert goes_on({"traceparent": PARENT})


def test_a_trace_id_of_zeros_starts_a_new_trace() -> None:
    assert not goes_on({"traceparent": f"00-{'0' * 32}-{SPAN}-01"})


def test_a_parent_id_of_zeros_starts_a_new_trace() -> None:
    assert not goes_on({"traceparent": f"00-{TRACE}-{'0' * 16}-01"})


def test_version_ff_starts_a_new_trace() -> None:
    assert not goes_on({"traceparent": f"ff-{TRACE}-{SPAN}-01"})


def test_upper_case_digits_start_a_new_trace() -> None:
    assert not goes_on({"traceparent": PARENT.upper()})


def test_version_00_with_more_behind_it_starts_a_new_trace() -> None:
    assert not goes_on({"traceparent": f"{PARENT}-more"})


def test_a_higher_version_is_read_by_its_first_fields_whatever_follows_a_dash() -> None:
    assert goes_on({"traceparent": f"cc-{TRACE}-{SPAN}-01-what-comes-later"})


def test_a_higher_version_with_anything_else_behind_the_flags_starts_a_new_trace() -> None:
    assert not goes_on({"traceparent": f"cc-{TRACE}-{SPAN}-01.later"})


def test_a_higher_version_shorter_than_55_characters_starts_a_new_trace() -> None:
    assert not goes_on({"traceparent": f"cc-{TRACE}-{SPAN}-0"})


def test_a_higher_version_goes_on_as_version_00() -> None:
    assert (through({"traceparent": f"cc-{TRACE}-{SPAN}-01-x"}).get("traceparent") or "").startswith("00-")


def test_a_traceparent_that_ends_with_a_newline_starts_a_new_trace() -> None:
    assert not goes_on({"traceparent": f"{PARENT}\n"})


def test_spaces_and_tabs_around_a_traceparent_do_not_count() -> None:
    assert goes_on({"traceparent": f" {PARENT}\t"})


def test_the_name_of_the_header_is_found_in_any_case() -> None:
    assert goes_on({"TraceParent": PARENT})


@pytest.mark.parametrize("sampled", ["01", "03", "05", "ff"])
def test_the_sampled_flag_is_one_bit_whatever_the_others_are(sampled: str) -> None:
    assert flags(f"00-{TRACE}-{SPAN}-{sampled}") & 1


def test_a_random_trace_id_stays_marked() -> None:
    assert 3 == flags(f"00-{TRACE}-{SPAN}-03")


def test_a_trace_id_not_marked_as_random_stays_unmarked() -> None:
    assert 1 == flags(f"00-{TRACE}-{SPAN}-01")


def test_flags_that_are_not_known_are_sent_as_0() -> None:
    assert 3 == flags(f"00-{TRACE}-{SPAN}-ff")


def test_of_two_traceparents_the_last_wins_and_it_is_counted() -> None:
    before = losses().get("duplicate traceparent", 0)
    other = f"00-{'a' * 32}-{SPAN}-01"
    assert goes_on([("traceparent", other), ("traceparent", PARENT)])
    assert before < losses()["duplicate traceparent"]


def test_a_tracestate_goes_on_with_its_traceparent() -> None:
    assert "a=1,b=2" == state("a=1,b=2")


def test_a_tracestate_without_a_valid_traceparent_does_not_go_on() -> None:
    assert through({"traceparent": "00-zz", "tracestate": "a=1"}).get("tracestate") is None


def test_a_bad_tracestate_does_not_harm_the_traceparent() -> None:
    assert goes_on({"traceparent": PARENT, "tracestate": "=,=;;\x00"})


def test_32_members_go_on_and_33_do_not() -> None:
    members = [f"k{number}=v" for number in range(33)]
    assert ",".join(members[:32]) == state(",".join(members[:32]))
    assert state(",".join(members)) is None


def test_a_key_has_up_to_256_characters() -> None:
    assert 256 == len(propagation.parse_tracestate([f"{'k' * 256}=1"])[0][0])
    assert [] == propagation.parse_tracestate([f"{'k' * 257}=1"])


@pytest.mark.parametrize("key", ["a", "0a", "a_-*/@"])
def test_a_key_starts_with_a_letter_or_a_digit(key: str) -> None:
    assert f"{key}=1" == state(f"{key}=1")


@pytest.mark.parametrize("key", ["@a", "-a", "A", "a.b", ""])
def test_other_keys_do_not_go_on(key: str) -> None:
    assert state(f"{key}=1") is None


def test_a_value_has_up_to_256_characters() -> None:
    assert f"a={'v' * 256}" == state(f"a={'v' * 256}")
    assert state(f"a={'v' * 257}") is None


@pytest.mark.parametrize("value", ["x=y", "", "ü", "a\tb"])
def test_a_value_is_printable_without_an_equals_sign(value: str) -> None:
    assert state(f"a={value}") is None


def test_spaces_at_the_end_of_a_value_are_not_part_of_it() -> None:
    assert "a=x y" == state("a=x y  ")


def test_empty_members_are_allowed() -> None:
    assert "a=1,b=2" == state("a=1,, ,b=2,")


def test_several_tracestates_are_joined_in_their_order() -> None:
    assert "a=1,b=2,c=3" == state("a=1,b=2", "c=3")


def test_512_characters_go_on() -> None:
    whole = f"a={'v' * 253},b={'v' * 254}"
    assert 512 == len(whole)
    assert whole == state(whole)


def test_beyond_that_whole_members_go_first_those_over_128_characters() -> None:
    members = [f"k{number:02}={'v' * 40}" for number in range(11)]
    assert ",".join(members) == state(",".join([members[0], f"long={'x' * 200}", *members[1:]]))


def test_then_whole_members_go_from_the_right() -> None:
    members = [f"k{number:02}={'v' * 40}" for number in range(12)]
    assert ",".join(members[:11]) == state(",".join(members))


def carried(line: str) -> str | None:
    return through({"traceparent": PARENT, "baggage": line}).get("baggage")


def test_64_members_of_baggage_all_go_on() -> None:
    line = ",".join(f"k{number}=v" for number in range(64))
    assert line == carried(line)


def test_8192_bytes_of_baggage_all_go_on() -> None:
    line = f"a={'x' * 8187},b="
    assert 8192 == len(line)
    assert line == carried(line)


def test_over_the_limits_whole_members_are_left_out() -> None:
    assert 64 == len((carried(",".join(f"k{number}=v" for number in range(70))) or "").split(","))
    assert f"a={'x' * 8000}" == carried(f"a={'x' * 8000},b={'y' * 8000}")


def test_values_are_percent_encoded_on_the_wire_and_plain_inside() -> None:
    came = propagation.extract({"traceparent": PARENT, "baggage": "user=a%20b%2Cc"})
    assert "a b,c" == baggage.get_baggage("user", came)
    assert "user=a%20b%2Cc" == carried("user=a%20b%2Cc")


def test_an_equals_sign_inside_a_value_is_legal() -> None:
    assert "eq=a=b" == carried("eq=a=b")


def test_bytes_that_are_no_utf_8_become_the_replacement_character() -> None:
    came = propagation.extract({"traceparent": PARENT, "baggage": "x=%FF"})
    assert "\ufffd" == baggage.get_baggage("x", came)


def test_baggage_of_the_application_is_never_copied_to_attributes() -> None:
    capture = Capture()
    kafka = Messaging("kafka", provider=capture.provider)
    headers = Headers({"traceparent": PARENT, "baggage": "user=ann,throughline.entity.bet=1"})
    with propagation.attached(Context()), kafka.process(Delivery(destination="a", headers=headers)):
        pass
    found = capture.attributes("process a")
    assert "ann" not in str(found)
    assert "1" == found["throughline.context.bet"]


names = st.sampled_from(
    ["traceparent", "TraceParent", "tracestate", "baggage", "ce_id", "app", "App", "x-1", ""]
)
values = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.text(max_size=40),
    st.integers(),
    st.sampled_from([PARENT, "a=1,b=2", "user=ann", f"00-{'0' * 32}-{SPAN}-01", "=,=;"]),
)
OURS = {"traceparent", "tracestate", "baggage"}


@given(st.lists(st.tuples(names, values), max_size=10))
def test_any_soup_of_headers_goes_on_valid_with_the_applications_own_untouched(
    soup: list[tuple[str, Any]],
) -> None:
    kafka, headers = Messaging("kafka", provider=Capture().provider), Headers(soup)
    with (
        propagation.attached(Context()),
        kafka.process(Delivery(destination="a", headers=Headers(soup))) as span,
    ):
        kafka.send("b", headers).end()
    (parent,) = headers.all("traceparent")
    sent = propagation.parse_traceparent(parent)
    assert sent is not None
    assert span.get_span_context().trace_id == sent.trace_id
    assert len(headers.all("tracestate")) <= 1
    assert len(headers.all("baggage")) <= 1
    own = [(name, value) for name, value in soup if name.lower() not in OURS]
    assert own == [(name, value) for name, value in headers.wire() if name.lower() not in OURS]
    assert [(name, octets(value)) for name, value in own] == [
        pair for pair in headers.pairs() if pair[0].lower() not in OURS
    ]


members = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True),
    st.text(st.characters(codec="utf-8"), max_size=20),
    max_size=8,
)


@given(members, st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 3))
def test_what_is_injected_is_extracted_equal(
    given_members: dict[str, str], trace_id: int, span_id: int, given_flags: int
) -> None:
    span = trace.SpanContext(
        trace_id, span_id, True, trace.TraceFlags(given_flags), trace.TraceState([("a", "1")])
    )
    context = trace.set_span_in_context(trace.NonRecordingSpan(span), Context())
    for key, value in given_members.items():
        context = baggage.set_baggage(key, value, context)
    headers = Headers()
    propagation.inject(headers, context)
    again = propagation.extract(headers.pairs())
    found = trace.get_current_span(again).get_span_context()
    assert (trace_id, span_id, given_flags, [("a", "1")]) == (
        found.trace_id,
        found.span_id,
        found.trace_flags,
        list(found.trace_state.items()),
    )
    assert given_members == dict(baggage.get_all(again))
