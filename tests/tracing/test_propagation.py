from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from tests.tracing.test_headers import anything
from tracing import propagation
from tracing.guard import losses
from tracing.headers import Headers
from tracing.testing import Capture

TRACE, SPAN = "4f1c7be29a0d4e63b85f20c7d91ae346", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def remote(carrier: Any) -> SpanContext:
    return trace.get_current_span(propagation.extract(carrier)).get_span_context()


def injected(context: Context, headers: Headers | None = None) -> Headers:
    headers = Headers() if headers is None else headers
    propagation.inject(headers, context)
    return headers


def in_span(state: TraceState | None = None, flags: int = 1, context: Context | None = None) -> Context:
    span = SpanContext(int(TRACE, 16), int(SPAN, 16), True, TraceFlags(flags), state or TraceState())
    return trace.set_span_in_context(NonRecordingSpan(span), context or Context())


@pytest.mark.parametrize(
    "value",
    [
        PARENT,
        f" {PARENT}\t",
        f"01-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-what-comes-later",
        f"cc-{TRACE}-{SPAN}-01-",
    ],
)
def test_a_valid_traceparent_names_its_span(value: str) -> None:
    found = propagation.parse_traceparent(value)
    assert found is not None
    assert (TRACE, SPAN, 1) == (f"{found.trace_id:032x}", f"{found.span_id:016x}", found.trace_flags)
    assert found.is_remote
    assert PARENT == propagation.format_traceparent(found)


@pytest.mark.parametrize(
    "value",
    [
        "",
        PARENT.upper(),
        f"{PARENT}\n",
        f"{PARENT}-more",
        f"{PARENT}-",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"cc-{TRACE}-{SPAN}-01.later",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-0x",
        "\u0661" * 2 + PARENT[2:],
    ],
)
def test_an_invalid_traceparent_is_ignored_with_its_tracestate(value: str) -> None:
    assert propagation.parse_traceparent(value) is None
    assert not remote({"traceparent": value, "tracestate": "foo=1"}).is_valid


def test_only_the_two_known_flags_are_kept() -> None:
    assert 0x03 == remote({"traceparent": f"00-{TRACE}-{SPAN}-ff"}).trace_flags
    assert 0x02 == remote({"traceparent": f"00-{TRACE}-{SPAN}-02"}).trace_flags
    assert PARENT.replace("-01", "-03") == injected(in_span(flags=0xFF)).get("traceparent")


def test_a_random_trace_id_stays_marked_through_a_service() -> None:
    capture = Capture()
    for flags in ("01", "03"):
        came = propagation.extract({"traceparent": f"00-{TRACE}-{SPAN}-{flags}"})
        with capture.provider.get_tracer("t").start_as_current_span("work", came) as span:
            sent = injected(trace.set_span_in_context(span)).get("traceparent")
        assert sent is not None
        assert flags == sent[-2:]


def test_of_several_traceparents_the_last_wins_and_is_counted() -> None:
    before = losses().get("duplicate traceparent", 0)
    old = f"00-{'a' * 32}-{'b' * 16}-01"
    assert int(TRACE, 16) == remote([("traceparent", old), ("traceparent", PARENT)]).trace_id
    assert before + 1 == losses()["duplicate traceparent"]


def test_several_tracestates_are_joined_in_order_with_spaces_and_empty_members_allowed() -> None:
    members = propagation.parse_tracestate(["foo=1 \t , \t bar=2,,", "", "1a-_*/@x@=3", "foo=4"])
    assert [("foo", "1"), ("bar", "2"), ("1a-_*/@x@", "3")] == members


@pytest.mark.parametrize(
    "value",
    [
        "foo =1",
        "FOO=1",
        "foo.bar=1",
        "@foo=1,bar=2",
        "foo=bar=baz",
        "foo=,bar=3",
        "foo",
        f"{'z' * 257}=1",
        f"a={'v' * 257}",
    ],
)
def test_one_bad_member_discards_the_tracestate_and_never_the_traceparent(value: str) -> None:
    found = remote({"traceparent": PARENT, "tracestate": f"{value},good=1"})
    assert int(TRACE, 16) == found.trace_id
    assert {} == dict(found.trace_state)


def test_32_members_pass_and_33_do_not() -> None:
    members = [f"bar{n:02}={n:02}" for n in range(33)]
    assert 32 == len(propagation.parse_tracestate([",".join(members[:32])]))
    assert [] == propagation.parse_tracestate([",".join(members)])


def test_keys_that_only_level_2_allows_reach_the_next_service() -> None:
    came = propagation.extract({"traceparent": PARENT, "tracestate": "1a=x,foo@=1,foo@0b=2"})
    assert "1a=x,foo@=1,foo@0b=2" == injected(came).get("tracestate")


def test_tracestate_is_cut_by_whole_members_the_long_ones_first_then_from_the_right() -> None:
    short = [(f"k{n:02}", "v" * 40) for n in range(12)]
    assert 12 * 44 + 11 > propagation.LONGEST_STATE
    cut = propagation.cut_tracestate([short[0], ("long", "x" * 200), *short[1:]])
    assert ",".join(f"{key}={value}" for key, value in short[:11]) == cut
    assert len(cut) <= propagation.LONGEST_STATE


def test_512_characters_of_tracestate_are_carried_whole() -> None:
    members = [("a", "v" * 253), ("b", "v" * 254)]
    assert 512 == len(propagation.cut_tracestate(members))


def test_injecting_replaces_what_a_republished_message_carried() -> None:
    headers = Headers(
        {"traceparent": f"00-{'a' * 32}-{'b' * 16}-00", "tracestate": "old=1", "baggage": "old=1", "x": "y"}
    )
    injected(in_span(), headers)
    assert [("x", b"y"), ("traceparent", PARENT.encode())] == headers.pairs()


def test_without_a_span_the_context_set_by_the_application_stays() -> None:
    headers = Headers({"traceparent": PARENT})
    assert [("traceparent", PARENT.encode())] == injected(Context(), headers).pairs()


def test_baggage_goes_through_with_its_properties_and_odd_values() -> None:
    line = "user=a%20b%2Cc%3B%25;ttl=3;hidden,eq=a=b,empty=,bad%ff=x,utf=%C3%A9,broken=%FF"
    came = propagation.extract({"traceparent": PARENT, "baggage": line})
    assert {
        "user": "a b,c;%",
        "eq": "a=b",
        "empty": "",
        "bad%ff": "x",
        "utf": "é",
        "broken": "\ufffd",
    } == dict(baggage.get_all(came))
    again = propagation.extract(injected(came).pairs())
    assert dict(baggage.get_all(came)) == dict(baggage.get_all(again))
    assert "user=a%20b%2Cc%3B%25;ttl=3;hidden" in (injected(came).get("baggage") or "")


def test_properties_of_a_member_that_was_changed_are_not_sent_on() -> None:
    came = propagation.extract({"traceparent": PARENT, "baggage": "user=a;ttl=3"})
    assert "user=b" == injected(baggage.set_baggage("user", "b", came)).get("baggage")


def test_baggage_stops_at_64_members_and_8192_bytes_without_cutting_a_member() -> None:
    assert 64 == len(propagation.parse_baggage([",".join(f"k{n}=v" for n in range(80))]))
    many = propagation.format_baggage({f"k{n}": "v" for n in range(80)})
    assert 64 == len(many.split(","))
    wide = propagation.format_baggage({"a": "x" * 5000, "b": "y" * 5000, "c": "z"})
    assert f"a={'x' * 5000},c=z" == wide
    exact = {"a": "x" * 4000, "b": "y" * (8192 - 4000 - 5)}
    assert 8192 == len(propagation.format_baggage(exact))
    assert 2 == len(propagation.parse_baggage([propagation.format_baggage(exact)]))


@pytest.mark.parametrize(
    "value",
    [PARENT, bytes.fromhex(f"0000{TRACE}01{SPAN}0201")],
)
def test_the_old_elastic_header_is_a_fallback_in_text_and_in_binary(value: Any) -> None:
    assert int(TRACE, 16) == remote({"elasticapmtraceparent": value}).trace_id
    other = f"00-{'a' * 32}-{'b' * 16}-01"
    assert int("a" * 32, 16) == remote({"elasticapmtraceparent": value, "traceparent": other}).trace_id


@pytest.mark.parametrize("value", [b"\xff\xfe\x00", b"", None, 7, "00-", b"\x00" * 29])
def test_poison_headers_start_a_new_trace_and_never_raise(value: Any) -> None:
    names = ("traceparent", "tracestate", "baggage", "elasticapmtraceparent")
    assert not remote([(name, value) for name in names]).is_valid


@given(anything)
def test_no_carrier_makes_extract_raise(carrier: Any) -> None:
    propagation.extract(carrier)


token = st.text(alphabet="abcXYZ019._-!~", min_size=1, max_size=10)


@given(st.dictionaries(token, st.text(max_size=30), max_size=10))
def test_baggage_comes_back_as_it_was_given(members: dict[str, str]) -> None:
    given_members = {key: value.encode("utf-8", "replace").decode() for key, value in members.items()}
    line = propagation.format_baggage(given_members)
    assert line.isascii()
    assert given_members == {key: value for key, (value, _) in propagation.parse_baggage([line]).items()}


state_key = st.from_regex(r"[a-z0-9][a-z0-9_\-*/@]{0,40}", fullmatch=True)
state_value = st.from_regex(
    r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,60}[\x21-\x2b\x2d-\x3c\x3e-\x7e]", fullmatch=True
)


@given(st.lists(st.tuples(state_key, state_value), max_size=32, unique_by=lambda pair: pair[0]))
def test_a_cut_tracestate_keeps_order_and_whole_members(members: list[tuple[str, str]]) -> None:
    cut = propagation.cut_tracestate(members)
    assert len(cut) <= propagation.LONGEST_STATE
    kept = propagation.parse_tracestate([cut])
    # leading spaces of a value are optional white space on the wire only at the ends of a member
    assert kept == [pair for pair in members if pair in kept]
    if len(",".join(f"{key}={value}" for key, value in members)) <= propagation.LONGEST_STATE:
        assert kept == members


def test_a_kept_context_is_current_only_inside() -> None:
    with propagation.attached(in_span()):
        assert int(TRACE, 16) == trace.get_current_span().get_span_context().trace_id
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_context_that_is_none_costs_the_headers_and_nothing_else() -> None:
    before = losses()
    headers = Headers({"baggage": "a=1"})
    propagation.inject(headers, 7)  # type: ignore[arg-type]
    assert 7 == propagation.extract({"baggage": "a=1"}, 7)  # type: ignore[arg-type,comparison-overlap]
    assert [("baggage", b"a=1")] == headers.pairs()
    for reason in ("inject", "extract"):
        assert before.get(reason, 0) + 1 == losses()[reason]
