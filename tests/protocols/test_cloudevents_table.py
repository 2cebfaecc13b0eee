"""CloudEvents 1.0.2 over HTTP to the letter: each rule for attributes, data and modes in every mode
that can break it, and the answer, worked out here and not by the product."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.receiving import Driven

pytestmark = pytest.mark.django_db
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
GOOD: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "OrderPlaced"}
_WRONG: list[Any] = ["", 7, True, {}, []]
# an attribute and its value: whether an event that has it is an event
ATTRIBUTES: list[tuple[str, Any, bool]] = [
    *[(name, wrong, False) for name in GOOD for wrong in _WRONG],
    *[("specversion", value, False) for value in ("0.3", "1", "1.0.2", "2.0", "1.0 ")],
    ("id", "x" * 5000, True),
    ("id", "mit Leerzeichen und ü", True),
    ("source", "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", True),
    ("source", "https://example.com/a?b#c", True),
    ("type", "com.example.someevent.v2", True),
    ("subject", "", True),
    ("subject", "order:42", True),
    ("subject", 5, False),
    *[("time", value, True) for value in ("2025-11-26T12:00:00Z", "2025-11-26T12:00:00.123456789+05:30", "2025-11-26t12:00:00z", "1969-12-31T23:59:59Z")],
    *[("time", value, False) for value in ("2025-11-26", "2025-11-26 12:00", "12:00:00Z", "2025-13-01T00:00:00Z", "2025-11-26T25:00:00Z", "yesterday", "2025-11-26T12:00:00", 7)],
    ("recordedtime", "2025-11-26T12:00:01Z", True),
    ("recordedtime", "later", False),
    ("datacontenttype", "application/json", True),
    ("datacontenttype", 1, False),
    ("dataschema", "https://example.com/schema", True),
    ("dataschema", False, False),
    ("sequence", "0001", True),
    ("partitionkey", "k-1", True),
    ("correlationid", "c-1", True),
    ("causationid", "c-0", True),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
    ("traceparent", "garbage", True),
    ("tracestate", "a=b", True),
    ("ext1", 2**31 - 1, True),
    ("ext1", -(2**31), True),
    ("ext1", 2**31, False),
    ("ext1", -(2**31) - 1, False),
    ("ext1", True, True),
    ("ext1", 1.5, False),
    ("ext1", {"a": 1}, False),
    ("ext1", [1], False),
    ("ext1", "\u0007", False),
    ("ext1", "a\u0000b", False),
    ("ext1", "\ufffe", False),
    ("ext1", "\U0001fffe", False),
    ("ext1", "\ud800", False),
    ("ext1", "😀 emoji", True),
    ("ext1", "line\nbreak", False),
    *[(name, "x", False) for name in ("Ext", "my_ext", "my-ext", "ext.a", "ü", " ", "")],
    ("averyveryverylongextensionname", "x", True),
    ("0ext", "x", True),
]  # fmt: skip


def attribute_cases() -> Iterator[Any]:
    """Each attribute case in structured and batch mode, and in binary where a header can say it."""
    for place, (name, value, good) in enumerate(ATTRIBUTES):
        event = json.dumps(GOOD | {name: value}).encode()
        label = f"{place} {name[:12]!r} {str(value)[:20]!r}"
        yield pytest.param({"content-type": STRUCTURED}, event, good, 1, id=f"structured {label}")
        good_one = json.dumps(GOOD | {"id": "other"}).encode()
        body = b"[" + good_one + b"," + event + b"]"
        yield pytest.param({"content-type": BATCH}, body, good, 2, id=f"batch {label}")
        if type(value) is str and value.strip() == value != "" and value != "\ud800" and name.isascii() and name.isalnum() and name.islower() and name != "datacontenttype":  # fmt: skip
            headers = {
                f"ce-{key}": quote(str(one), safe=" /:=+-._") for key, one in (GOOD | {name: value}).items()
            }
            yield pytest.param(headers, b"", good, 1, id=f"binary {label}")


@pytest.mark.parametrize(("headers", "body", "good", "events"), list(attribute_cases()))
def test_every_rule_for_attributes_in_every_mode(
    table: Driven, headers: dict[str, str], body: bytes, good: bool, events: int
) -> None:
    before = table.inbox.backlog().items
    status, named, content = table.ask("POST", "/v1/events", headers, body)
    kept = table.inbox.backlog().items - before
    if good:
        assert (202, b"", events) == (status, content, kept)
        return
    assert (400, "application/problem+json", events - 1) == (status, named["content-type"], kept)
    told = json.loads(content)
    assert 400 == told["status"]
    assert (events - 1, 1, events - 1) == (told["accepted"], told["refused"], told["problems"][0]["position"])


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize(
    ("mode", "status"), [("structured", 400), ("batch", 400), ("null", 400), ("binary", 415)]
)
def test_each_required_attribute_is_required(table: Driven, name: str, mode: str, status: int) -> None:
    less = {key: value for key, value in GOOD.items() if key != name}
    if mode == "binary":  # without all four it is no CloudEvent at all
        headers, body = {f"ce-{key}": value for key, value in less.items()}, b""
    elif mode == "batch":
        headers, body = {"content-type": BATCH}, json.dumps([less]).encode()
    else:
        event = less | ({name: None} if mode == "null" else {})
        headers, body = {"content-type": STRUCTURED}, json.dumps(event).encode()
    answered, named, content = table.ask("POST", "/v1/events", headers, body)
    assert (status, "application/problem+json") == (answered, named["content-type"])
    assert name in json.loads(content)["detail"] or status == 415


DATA: list[tuple[dict[str, Any], bool]] = [
    ({"data": {"a": [1, None, "x"]}}, True),
    ({"data": "text"}, True),
    ({"data": 5}, True),
    ({"data": None}, True),
    ({"data": False}, True),
    ({"data": []}, True),
    ({"data_base64": "AAEC"}, True),
    ({"data_base64": ""}, True),
    ({"data_base64": None}, True),
    ({"data_base64": "AAE"}, False),
    ({"data_base64": "not base64!"}, False),
    ({"data_base64": 5}, False),
    ({"data": 1, "data_base64": "AAEC"}, False),
    ({"data": None, "data_base64": "AAEC"}, True),
    ({"data_base64": "eyJhIjoxfQ==", "datacontenttype": "application/json"}, True),
    ({"data": "<a/>", "datacontenttype": "application/xml"}, True),
    ({"data": "x" * 70_000}, True),
]


@pytest.mark.parametrize("media", [STRUCTURED, BATCH, "Application/CloudEvents+JSON; charset=utf-8"])
@pytest.mark.parametrize(("data", "good"), DATA)
def test_data_is_one_of_two_and_of_any_kind(
    table: Driven, data: dict[str, Any], good: bool, media: str
) -> None:
    event = GOOD | data
    body = json.dumps([event] if "batch" in media else event).encode()
    status, _, _ = table.ask("POST", "/v1/events", {"content-type": media}, body)
    assert (202 if good else 400) == status


BINARY = {f"ce-{name}": value for name, value in GOOD.items()}
HEADERS: list[tuple[dict[str, str], int]] = [
    (BINARY | {"ce-subject": "Euro%20%E2%82%AC"}, 202),
    (BINARY | {"ce-subject": "euro%20%e2%82%ac"}, 202),
    (BINARY | {"ce-subject": '"quoted \\"text\\""'}, 202),
    (BINARY | {"ce-subject": "50%"}, 202),
    (BINARY | {"ce-subject": "%zz"}, 202),
    (BINARY | {"ce-subject": "%C0%A0"}, 400),
    (BINARY | {"ce-subject": "%FF"}, 400),
    (BINARY | {"ce-subject": "%ED%A0%80"}, 400),
    (BINARY | {"ce-subject": "%00"}, 400),
    (BINARY | {"ce-ext1": "%25C0"}, 202),
    (BINARY | {"ce-my_ext": "x"}, 400),
    (BINARY | {"ce-data": "x"}, 400),
    (BINARY | {"ce-datacontenttype": "application/json"}, 400),
    (BINARY | {"content-type": "application/json"}, 202),
    (BINARY | {"content-type": "application/octet-stream"}, 202),
    (BINARY | {"content-type": "text/plain; charset=iso-8859-1"}, 202),
    (BINARY | {"content-type": "text/plain; charset=none-such"}, 202),
    (BINARY | {"content-type": "application/cloudevents+avro"}, 415),
    (BINARY | {"content-type": "application/cloudevents-batch+xml"}, 415),
    ({"content-type": "application/cloudevents"}, 415),
    ({"content-type": "application/json"}, 415),
    ({}, 415),
]


@pytest.mark.parametrize("encoding", ["", "identity"])
@pytest.mark.parametrize(("headers", "status"), HEADERS)
def test_headers_of_the_binary_mode(
    table: Driven, headers: dict[str, str], status: int, encoding: str
) -> None:
    more = {"content-encoding": encoding} if encoding else {}
    answered, named, _ = table.ask("POST", "/v1/events", headers | more, b'{"a": 1}')
    assert status == answered
    assert (status == 202) == (named.get("content-type") is None)


@pytest.mark.parametrize(
    ("body", "status", "kept"),
    [
        (b"[]", 202, 0),
        (b"{}", 400, 0),
        (b"", 400, 0),
        (b"[", 400, 0),
        (b"null", 400, 0),
        (b"[null]", 400, 0),
        (b"[1, 2]", 400, 0),
        (json.dumps([GOOD] * 3).encode(), 202, 3),
        (json.dumps([GOOD, {}, GOOD, 5]).encode(), 400, 2),
    ],
)
def test_a_batch_is_judged_event_by_event(table: Driven, body: bytes, status: int, kept: int) -> None:
    before = table.inbox.backlog().items
    answered, _, _ = table.ask("POST", "/v1/events", {"content-type": BATCH}, body)
    assert (status, kept) == (answered, table.inbox.backlog().items - before)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"webhook-request-origin": "events.example"}, {"webhook-allowed-origin": "events.example"}),
        (
            {"webhook-request-origin": "events.example", "webhook-request-rate": "120"},
            {"webhook-allowed-origin": "events.example", "webhook-allowed-rate": "*"},
        ),
        ({}, {}),
        ({"webhook-request-rate": "120"}, {}),
    ],
)
def test_the_webhook_handshake(table: Driven, headers: dict[str, str], expected: dict[str, str]) -> None:
    status, named, content = table.ask("OPTIONS", "/v1/events", headers)
    assert status in (200, 204)
    assert b"" == content
    assert expected == {name: value for name, value in named.items() if name.startswith("webhook-")}
    assert "POST" in named["allow"]
