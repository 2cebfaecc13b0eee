"""Whatever an engineer has on the clipboard finds the event, with no service or topic chosen."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from timeline.errors import BadQuery
from timeline.search.grammar import parse
from timeline.search.identify import MAX_READINGS, identify
from timeline.search.pasted import MAX_IDS
from timeline.search.times import parse_time

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"
RULES = {"order.id": "order", "betId": "bet"}

IN_SPAN = f"trace:{TRACE} span:{SPAN}"
IN_TRACE = f"trace:{TRACE}"


def read(text: str) -> list[tuple[str, str]]:
    return [(reading.label.removeprefix("Read as "), reading.text) for reading in identify(text, rules=RULES)]


@pytest.mark.parametrize(
    ("pasted", "expected"),
    [
        pytest.param("evt-20931", [("an id", "evt-20931")], id="event id"),
        pytest.param('"evt-20931",', [("an id", "evt-20931")], id="quoted id"),
        pytest.param("urn:example:ev-1", [("an id", '"urn:example:ev-1"')], id="urn"),
        pytest.param(
            "0190B3C2-7d1e-7c55-9d1b-1f2a3b4c5d6e",
            [
                ("an id", "0190B3C2-7d1e-7c55-9d1b-1f2a3b4c5d6e"),
                ("a trace id", "trace:0190b3c27d1e7c559d1b1f2a3b4c5d6e"),
            ],
            id="uuid",
        ),
        pytest.param("bet:8812", [("an entity", "bet:8812")], id="entity"),
        pytest.param("bet:a/b:c", [("an entity", "bet:a/b:c")], id="entity with punctuation"),
        pytest.param(TRACE.upper(), [("a trace id", IN_TRACE), ("an id", TRACE)], id="trace id"),
        pytest.param(
            f"0x{SPAN}",
            [
                ("a span id", f"span:{SPAN}"),
                ("a short trace id", f"trace:0000000000000000{SPAN}"),
                ("an id", SPAN),
            ],
            id="span id",
        ),
        pytest.param("0" * 32, [("an id", "0" * 32)], id="zeros"),
        pytest.param(
            "AZm0Q4sAABCDEFGHIJKL",
            [("a fact id", "field.id:AZm0Q4sAABCDEFGHIJKL"), ("an id", "AZm0Q4sAABCDEFGHIJKL")],
            id="fact id",
        ),
        pytest.param(
            PARENT,
            [("a span of a traceparent", IN_SPAN), ("the trace of a traceparent", IN_TRACE)],
            id="traceparent",
        ),
        pytest.param(
            f"traceparent: {PARENT.upper()}",
            [("a span of a traceparent", IN_SPAN), ("the trace of a traceparent", IN_TRACE)],
            id="traceparent header",
        ),
        pytest.param(f"http://box:8700/traces/{TRACE}?x=1", [("a trace's page", IN_TRACE)], id="trace page"),
        pytest.param(
            "https://box/facts/AZm0Q4sAABCDEFGHIJKL",
            [("a fact's page", "field.id:AZm0Q4sAABCDEFGHIJKL")],
            id="fact page",
        ),
        pytest.param(
            "http://box:8700/e/bet/88%2F12", [("an entity's page", "entity:bet:88/12")], id="entity page"
        ),
        pytest.param(
            "https://shop/orders/ord-4711?ref=abc-123456&x=1",
            [("an id in a web address", "ord-4711"), ("an id in a web address", "abc-123456")],
            id="web address",
        ),
        pytest.param(
            f"b3: {TRACE}-{SPAN}-1",
            [("the span in headers", IN_SPAN), ("the trace in headers", IN_TRACE)],
            id="b3 header",
        ),
    ],
)
def test_one_token_is_recognised_by_its_shape(pasted: str, expected: list[tuple[str, str]]) -> None:
    assert expected == read(pasted)
    assert expected == read(f"  {pasted}\n")


@pytest.mark.parametrize(
    "pasted",
    [
        "wallet.payouts/4/20931",
        "wallet.payouts/4/20,931",
        "wallet.payouts-4@20931",
        "wallet.payouts[4]@20931",
        "wallet.payouts[4] 20931",
        "wallet.payouts:4:20931",
    ],
)
def test_a_place_in_a_topic_is_recognised_however_tools_write_it(pasted: str) -> None:
    assert ("a place in a topic", "topic:wallet.payouts partition:4 offset:20931") == read(pasted)[0]


def test_a_header_dump_tells_event_trace_entities_and_ids() -> None:
    dump = f"""
    POST /bets HTTP/1.1
    Content-Type: application/json
    > traceparent: {PARENT}
    ce-id: evt-1
    ce-source: /feed
    ce-subject: bets/8812
    X-Correlation-ID: corr-7
    X-Request-Id: req-778899
    message-id: m-1
    baggage: userId=4,throughline.entity.bet=88%2F12;p=1,throughline.context.match=1
    causationid: evt-0
    """

    assert [
        ("the event in headers", "event:evt-1 source:/feed"),
        ("the event id in headers", "event:evt-1"),
        ("the span in headers", IN_SPAN),
        ("the trace in headers", IN_TRACE),
        ("the message id in headers", "message:m-1"),
        ("an entity in headers", "entity:bet:88/12"),
        ("an entity in headers", "entity:match:1"),
        ("the correlation id in headers", "correlation:corr-7"),
        ("the causation id in headers", "causation:evt-0"),
        ("the subject in headers", "subject:bets/8812"),
        ("an id in headers", "req-778899"),
    ] == read(dump)


def test_a_kafka_header_dump_on_one_line_is_read() -> None:
    assert [
        ("the event in headers", "event:evt-1 source:/feed"),
        ("the event id in headers", "event:evt-1"),
        ("the span in headers", IN_SPAN),
        ("the trace in headers", IN_TRACE),
    ] == read(f"ce_id:evt-1,ce_source:/feed,traceparent:{PARENT}")


def test_a_record_as_kafka_tools_show_it_is_a_place_in_a_topic() -> None:
    dump = "Topic: settlements\nPartition: 3\nOffset: 51,077\nmessaging.kafka.message.key: 8812"

    assert [
        ("the place in a topic in headers", "topic:settlements partition:3 offset:51077"),
        ("the message key in headers", "key:8812"),
    ] == read(dump)


def test_headers_as_a_json_list_are_read() -> None:
    pasted = f'[{{"key":"traceparent","value":"{PARENT}"}},{{"name":"ce_id","value":"evt-1"}}, 5]'

    assert ["event:evt-1", IN_SPAN, IN_TRACE] == [text for _, text in read(pasted)]


def test_a_cloud_event_is_read_with_its_body() -> None:
    body = """{"specversion":"1.0","id":"evt-1","source":"/feed","type":"BetPlaced","traceparent":"%s",
               "data":{"betId":8812,"customerId":"cust-9912","paid":true,"note":"id of nothing 12345"}}"""

    assert [
        ("the event in a CloudEvent", "event:evt-1 source:/feed"),
        ("the event id in a CloudEvent", "event:evt-1"),
        ("the span in a CloudEvent", IN_SPAN),
        ("the trace in a CloudEvent", IN_TRACE),
        ("an entity in a CloudEvent", "entity:bet:8812"),
        ("an id in a CloudEvent", "cust-9912"),
    ] == read(body % PARENT)


def test_any_json_body_gives_its_ids() -> None:
    ids = f'"traceId":"{TRACE}","spanId":"{SPAN}","customer_id":"cust-9912","eventId":"e1"'
    body = '{"order":{"id":"42"},' + ids + "}"

    assert [
        ("the event id in a JSON body", "event:e1"),
        ("the span in a JSON body", IN_SPAN),
        ("the trace in a JSON body", IN_TRACE),
        ("an entity in a JSON body", "entity:order:42"),
        ("an id in a JSON body", "cust-9912"),
    ] == read(body)


@pytest.mark.parametrize(
    "command",
    [
        f"curl -X POST 'http://x/bets/bet-8812' -H 'traceparent: {PARENT}' -d '{{\"betId\": 1}}'",
        f"$ curl http://x/bets/bet-8812 \\\n --header='traceparent: {PARENT}' "
        "\\\n --data-raw='{\"betId\": 1}'",
        f'curl --json \'{{"betId": 1}}\' "-Htraceparent: {PARENT}" http://x/bets/bet-8812',
    ],
)
def test_a_curl_command_gives_headers_body_and_address(command: str) -> None:
    assert [
        ("the span in a curl command", IN_SPAN),
        ("the trace in a curl command", IN_TRACE),
        ("an entity in a curl command", "entity:bet:1"),
        ("an id in a web address", "bet-8812"),
    ] == read(command)


def test_a_curl_command_cut_in_the_middle_still_gives_its_address() -> None:
    assert [("an id in a web address", "bet-8812")] == read("curl http://x/bets/bet-8812 -H 'traceparent")


def test_a_log_line_gives_its_ids_and_its_moment() -> None:
    line = (
        f"2026-11-21 18:15:09,758 ERROR [wallet] trace_id={TRACE} order.id=42 failed for cust-991234 bet:8812"
    )
    moment = parse_time("2026-11-21T18:15:09.758Z", 0)

    assert [
        ("the trace in a log line", IN_TRACE),
        ("an entity in a log line", "entity:order:42"),
        ("an entity in a log line", "entity:bet:8812"),
        ("an id in a log line", "cust-991234"),
    ] == read(line)
    assert {moment} == {reading.at for reading in identify(line, rules=RULES)}


@pytest.mark.parametrize(
    "line",
    [
        f"2026-11-21T18:15:09Z handled {TRACE} twice",
        f"[{TRACE}] WARN PaymentService: declined",
        f"ERROR could not handle {TRACE}",
    ],
)
def test_a_bare_trace_id_in_a_log_line_is_found(line: str) -> None:
    assert ("the trace in a log line", IN_TRACE) in read(line)


def test_a_traceparent_in_a_log_line_is_found() -> None:
    assert IN_SPAN in [text for _, text in read(f"2026-11-21T18:15:09Z sent {PARENT} on")]


@pytest.mark.parametrize(
    ("pasted", "expected"),
    [
        (f'{{"spanId":"{SPAN}"}}', [("the span in a JSON body", f"span:{SPAN}")]),
        ('{"traceId":"1-58406520-a006649127e3"}', [("an id in a JSON body", "1-58406520-a006649127e3")]),
        ('{"throughline.entity.bet":"8812"}', [("an entity in a JSON body", "entity:bet:8812")]),
        (
            f'{{"traceId":"","betId":"{"x" * 5000}","spanId":"{SPAN}"}}',
            [("the span in a JSON body", f"span:{SPAN}")],
        ),
        ('{"topic":"bets","offset":"many"}', []),
        ('{"requestId":"..."}', []),
        ('{"requestId":"r-1","idempotencyKey":"r-1"}', [("an id in a JSON body", "r-1")]),
        (
            f'{{"traceparent":"{PARENT}","b3":"{"1" * 32}-{"2" * 16}"}}',
            [("the span in a JSON body", IN_SPAN), ("the trace in a JSON body", IN_TRACE)],
        ),
        ("2026-13-41 18:15:09 handled order-12345", [("an id in a log line", "order-12345")]),
        ("curl -d 'no json' -H nonsense http://x/bet-8812", [("an id in a web address", "bet-8812")]),
        ("curl -d'{\"betId\":1}' http://x", [("an entity in a curl command", "entity:bet:1")]),
    ],
)
def test_what_cannot_be_asked_is_left_out_and_the_rest_is_kept(
    pasted: str, expected: list[tuple[str, str]]
) -> None:
    assert expected == read(pasted)


@pytest.mark.parametrize(
    "question",
    [
        "",
        "hello",
        "hello world",
        "8812",
        "service:wallet",
        "trace:0af76519",
        "order.id:42",
        "entity:bet:8812",
        "service:wallet order-123456",
        "service:wallet (order-123456",
        "status:error ERROR order-123456",
        "duration>500ms",
        "total:10..20",
        "wild1234*",
        "http://",
        "http://[bad",
        "http://host/",
        "{",
        "{}",
        "[1, 2]",
        '{"a": "no ids here"}',
        "[" * 5000,
        "curl",
        "curl --help",
        "note: this is nothing",
        "2026-11-21 18:15:09 nothing to see",
        "18:04:11",
    ],
)
def test_a_question_and_plain_words_are_left_to_the_grammar(question: str) -> None:
    assert [] == read(question)


def test_the_readings_of_a_large_paste_stay_few() -> None:
    body = "{" + ",".join(f'"a{i}Id":"value-{i:06}"' for i in range(5000)) + "}"

    assert 0 < len(read(body)) <= MAX_READINGS
    assert MAX_IDS == len(read('{"betId":' + str(list(range(100))) + "}"))


def test_every_reading_carries_the_text_that_asks_it() -> None:
    for reading in identify(f"2026-11-21T18:15:09Z {PARENT} order.id=42 cust-991234", rules=RULES):
        assert reading.node == parse(reading.text, rules=RULES).to_node()


pieces = st.sampled_from(
    [
        "curl ",
        "{",
        "}",
        "[",
        '"',
        "'",
        ":",
        "=",
        ",",
        "\n",
        "\\",
        "/",
        "http://",
        "00-",
        TRACE,
        SPAN,
        "b3: ",
        "id",
        "1",
    ]
)


@given(st.lists(st.one_of(pieces, st.text(max_size=5)), max_size=20).map("".join))
@example("http://[::1")
@example("curl '\ud800'")
def test_no_paste_raises_anything(pasted: str) -> None:
    found = identify(pasted, rules=RULES)

    assert len(found) <= MAX_READINGS
    with suppress(BadQuery):
        parse(pasted)


@pytest.mark.parametrize(
    "pasted",
    [
        "a-" * 100_000,
        "1" * 200_000,
        "a:" * 100_000,
        "a: b\n" * 50_000,
        "curl " + "x'" * 99_999,
        "a=" * 99_999,
    ],
)
def test_a_large_paste_is_read_in_bounded_time(pasted: str) -> None:
    assert len(identify(pasted)) <= MAX_READINGS
    assert len(identify(f"ERROR 2026-11-21 18:15:09 {pasted}")) <= MAX_READINGS
