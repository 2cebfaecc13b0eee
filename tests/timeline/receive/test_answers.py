"""Every answer of the receiver, to the letter: status, content type and body."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
import zstandard
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.receiving import Driven
from tests.timeline.receive import otlp
from tests.timeline.receive.otlp import JSON, PROTOBUF

EVENT = {
    "ce-id": "1",
    "ce-source": "/shop",
    "ce-type": "OrderPlaced",
    "ce-specversion": "1.0",
    "content-type": "application/json",
}
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
ONE = {"id": "1", "source": "/shop", "type": "OrderPlaced", "specversion": "1.0"}


BINARY = (200, "application/x-protobuf", b"")
TEXT = (200, "application/json", b"{}")
TAKEN = (202, None, b"")


def packed(encoding: str) -> dict[str, str]:
    return PROTOBUF | {"content-encoding": encoding}


def status_of(body: bytes) -> tuple[int, str]:
    found = Status.FromString(body)
    return found.code, found.message


@pytest.mark.parametrize(
    ("path", "headers", "body", "expected"),
    [
        ("/v1/traces", PROTOBUF, otlp.traces_protobuf(), BINARY),
        ("/v1/traces", {"content-type": "application/protobuf"}, otlp.traces_protobuf(), BINARY),
        ("/v1/traces", JSON, otlp.traces(), TEXT),
        ("/v1/traces", {"content-type": "Application/JSON; charset=UTF-8"}, otlp.traces(), TEXT),
        ("/v1/traces", PROTOBUF, b"", BINARY),
        ("/v1/traces", JSON, b"{}", TEXT),
        ("/v1/traces", packed("gzip"), otlp.gzipped(otlp.traces_protobuf()), BINARY),
        ("/v1/traces", packed("GZIP"), otlp.gzipped(otlp.traces_protobuf()), BINARY),
        ("/v1/traces", packed("zstd"), zstandard.compress(otlp.traces_protobuf()), BINARY),
        ("/v1/traces", packed("deflate"), zlib.compress(otlp.traces_protobuf()), BINARY),
        ("/v1/traces", packed("identity"), otlp.traces_protobuf(), BINARY),
        ("/v1/logs", PROTOBUF, otlp.logs_protobuf(), BINARY),
        ("/v1/logs", JSON, otlp.logs(), TEXT),
        ("/v1/metrics", PROTOBUF, b"anything", BINARY),
        ("/v1/metrics", JSON, b"{}", TEXT),
        ("/v1/events", EVENT, b'{"total": 3}', TAKEN),
        ("/v1/events", {k: v for k, v in EVENT.items() if k != "content-type"}, b"", TAKEN),
        ("/v1/events", STRUCTURED, json.dumps(ONE).encode(), TAKEN),
        ("/v1/events", BATCH, json.dumps([ONE, ONE | {"id": "2"}]).encode(), TAKEN),
        ("/v1/events", BATCH, b"[]", TAKEN),
    ],
)  # fmt: skip
def test_what_is_good_is_acknowledged_in_the_senders_own_encoding(
    driven: Driven, path: str, headers: dict[str, str], body: bytes, expected: tuple[int, str | None, bytes]
) -> None:
    for chunked in (False, True):
        status, answered, content = driven.ask("POST", path, headers, body, chunked=chunked)
        assert expected == (status, answered.get("content-type"), content)


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "code"),
    [
        ("/v1/traces", PROTOBUF, b"garbage", 400, 3),
        ("/v1/logs", PROTOBUF, b"garbage", 400, 3),
        ("/v1/traces", packed("gzip"), b"not gzip at all", 400, 3),
        (
            "/v1/traces",
            packed("gzip"),
            otlp.gzipped(otlp.traces_protobuf(50))[:-9],
            400,
            3,
        ),
        ("/v1/traces", packed("gzip"), b"", 400, 3),
        ("/v1/traces", PROTOBUF, bytes((1 << 20) + 1), 413, 8),
        ("/v1/traces", packed("gzip"), otlp.gzipped(bytes((1 << 20) + 1)), 413, 8),
        ("/v1/traces", PROTOBUF, otlp.traces_protobuf(1001), 413, 8),
        ("/v1/traces", PROTOBUF | {"content-encoding": "br"}, b"x", 415, 3),
    ],
)
def test_what_is_bad_in_protobuf_is_answered_with_a_status_in_protobuf(
    driven: Driven, path: str, headers: dict[str, str], body: bytes, status: int, code: int
) -> None:
    for chunked in (False, True):
        answered, named, content = driven.ask("POST", path, headers, body, chunked=chunked)
        assert (status, "application/x-protobuf") == (answered, named["content-type"])
        found = Status.FromString(content)
        assert code == found.code
        assert found.message
        if status == 400:
            detail = BadRequest()
            assert found.details[0].Unpack(detail)
            assert [("body", found.message)] == [
                (one.field, one.description) for one in detail.field_violations
            ]
    assert driven.accepted() == []


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"),
    [
        ("POST", "/v1/traces", JSON, b"", 400, 3),
        ("POST", "/v1/traces", JSON, b"[]", 400, 3),
        ("POST", "/v1/traces", JSON, b'{"resourceSpans": NaN}', 400, 3),
        ("POST", "/v1/traces", JSON, b"[" * 5000 + b"]" * 5000, 413, 8),
        ("POST", "/v1/traces", JSON, b'{"resourceSpans":' * 5000 + b"1" + b"}" * 5000, 413, 8),
        ("POST", "/v1/traces", JSON, b" " * ((1 << 20) + 1), 413, 8),
        ("POST", "/v1/traces", {"content-type": "text/plain"}, b"x", 415, 3),
        ("POST", "/v1/traces", {}, b"x", 415, 3),
        ("POST", "/v1/traces", {"content-type": "application/x-www-form-urlencoded"}, b"x", 415, 3),
        ("POST", "/v1/traces/", JSON, b"{}", 404, 5),
        ("POST", "/", JSON, b"{}", 404, 5),
        ("POST", "/v1development/profiles", JSON, b"{}", 404, 5),
        ("GET", "/v1/traces", {}, b"", 405, 12),
        ("PUT", "/v1/logs", JSON, b"{}", 405, 12),
        ("DELETE", "/v1/metrics", {}, b"", 405, 12),
        ("POST", "/healthz", JSON, b"{}", 405, 12),
    ],
)
def test_what_is_bad_otherwise_is_answered_with_a_status_in_json(
    driven: Driven, method: str, path: str, headers: dict[str, str], body: bytes, status: int, code: int
) -> None:
    answered, named, content = driven.ask(method, path, headers, body)
    assert (status, "application/json") == (answered, named["content-type"])
    found = json.loads(content)
    assert code == found["code"]
    assert found["message"]
    assert (status == 400) == ("details" in found)
    assert driven.accepted() == []


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"x", 415),
        ({"content-type": "application/json"}, b"{}", 415),
        (EVENT | {"ce-id": ""}, b"{}", 400),
        (EVENT | {"ce-specversion": "0.3"}, b"{}", 400),
        (EVENT | {"ce-subject": "%C0%A0"}, b"{}", 400),
        (EVENT | {"ce-subject": "caf\u00e9"}, b"{}", 400),
        ([*EVENT.items(), ("ce-id", "2")], b"{}", 400),
        (STRUCTURED, b"{", 400),
        (STRUCTURED, b"[]", 400),
        (STRUCTURED, json.dumps({"id": "1"}).encode(), 400),
        (BATCH, b"{}", 400),
        ({"content-type": "application/cloudevents+avro"}, b"x", 415),
        (BATCH, b"[" + b"1," * 1000 + b"1]", 413),
    ],
)
def test_what_is_no_cloudevent_is_answered_with_a_problem(
    driven: Driven, headers: Any, body: bytes, status: int
) -> None:
    answered, named, content = driven.ask("POST", "/v1/events", headers, body)
    assert (status, "application/problem+json") == (answered, named["content-type"])
    found = json.loads(content)
    assert status == found["status"]
    assert found["detail"]
    assert driven.accepted() == []


@pytest.mark.django_db
def test_some_bad_spans_are_a_partial_success_and_their_neighbours_are_kept(driven: Driven) -> None:
    spans = [{}, {"traceId": "0" * 32}, {"spanId": "12"}, {}]
    status, headers, body = driven.ask("POST", "/v1/traces", JSON, otlp.traces(*spans))
    partial = json.loads(body)["partialSuccess"]
    assert (200, "application/json", "2") == (status, headers["content-type"], partial["rejectedSpans"])
    assert "bad_trace_id: 1" in partial["errorMessage"]
    assert "bad_span_id: 1" in partial["errorMessage"]
    (kept,) = driven.accepted()
    assert kept.items == 2
    expected = {("received", ""): 4, ("refused", "bad_trace_id"): 1, ("refused", "bad_span_id"): 1}
    assert expected.items() <= driven.tally().items()


@pytest.mark.django_db
def test_a_partial_success_speaks_protobuf_to_protobuf(driven: Driven) -> None:
    body = otlp.traces_protobuf(2, trace_id=bytes(16))
    status, _, content = driven.ask("POST", "/v1/traces", PROTOBUF, body)
    partial = ExportTraceServiceResponse.FromString(content).partial_success
    assert (200, 2) == (status, partial.rejected_spans)
    assert "not all zero" in partial.error_message
    assert driven.accepted() == []
    assert {("received", ""): 2, ("refused", "bad_trace_id"): 2} == driven.tally()


def test_a_span_nested_too_deep_costs_only_itself(driven: Driven) -> None:
    body = otlp.traces_protobuf(2) + otlp.deep_span(300)
    status, _, content = driven.ask("POST", "/v1/traces", PROTOBUF, body)
    assert (200, 1) == (status, ExportTraceServiceResponse.FromString(content).partial_success.rejected_spans)
    assert [2] == [request.items for request in driven.accepted()]


def test_a_bad_event_of_a_batch_is_named_and_its_neighbours_are_kept(driven: Driven) -> None:
    body = json.dumps([ONE, {"id": "2"}, ONE | {"id": "3"}]).encode()
    status, headers, content = driven.ask("POST", "/v1/events", BATCH, body)
    found = json.loads(content)
    assert (400, "application/problem+json") == (status, headers["content-type"])
    assert (2, 1, [1]) == (
        found["accepted"],
        found["refused"],
        [one["position"] for one in found["problems"]],
    )
    assert [2] == [request.items for request in driven.accepted()]


@pytest.mark.django_db
def test_metrics_are_counted_as_discarded_and_never_stored(driven: Driven) -> None:
    driven.ask("POST", "/v1/metrics", PROTOBUF, b"x")
    assert driven.accepted() == []
    assert {("discarded", ""): 1} == driven.tally()


@pytest.mark.django_db
def test_a_request_that_cannot_be_read_is_one_refused_item(driven: Driven) -> None:
    driven.ask("POST", "/v1/traces", PROTOBUF, b"garbage")
    driven.ask("POST", "/v1/logs", {}, b"garbage")
    assert {("received", ""): 2, ("refused", "malformed"): 1, ("refused", "unsupported"): 1} == driven.tally()


@pytest.mark.django_db
def test_a_path_that_receives_nothing_counts_nothing(driven: Driven) -> None:
    driven.ask("POST", "/v1/traces/", JSON, otlp.traces())
    driven.ask("GET", "/v1/traces")
    assert {} == driven.tally()


def test_the_inbox_gets_the_bytes_as_they_came_and_only_the_headers_that_decoding_needs(
    driven: Driven,
) -> None:
    body = otlp.gzipped(otlp.traces())
    sent = JSON | {"content-encoding": "gzip", "cookie": "secret", "authorization": ""}
    driven.ask("POST", "/v1/traces", sent, body)
    driven.ask("POST", "/v1/events", EVENT | {"cookie": "secret"}, b"{}")
    traces, event = driven.accepted()
    assert ("traces", "gzip", JSON, body, 1) == (
        traces.signal, traces.content_encoding, traces.headers, traces.body, traces.items,
    )  # fmt: skip
    assert ("events", "", EVENT, b"{}", 1) == (
        event.signal,
        event.content_encoding,
        event.headers,
        event.body,
        event.items,
    )


def test_the_same_bytes_again_are_known_and_other_headers_make_another_event(driven: Driven) -> None:
    driven.ask("POST", "/v1/logs", JSON, otlp.logs())
    driven.ask("POST", "/v1/logs", JSON, otlp.logs())
    driven.ask("POST", "/v1/events", EVENT, b"{}")
    driven.ask("POST", "/v1/events", EVENT | {"ce-id": "2"}, b"{}")
    assert [False, True, False, False] == [request.retried for request in driven.accepted()]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [("GET", "/healthz", b"ok\n"), ("GET", "/readyz", b"ready\n"), ("HEAD", "/healthz", b"ok\n")],
)
def test_probes_answer_in_plain_text(driven: Driven, method: str, path: str, expected: bytes) -> None:
    status, headers, body = driven.ask(method, path)
    assert (200, "text/plain; charset=utf-8", expected) == (status, headers["content-type"], body)


@pytest.mark.django_db
def test_a_full_inbox_asks_for_patience_and_takes_nothing(tmp_path: Path) -> None:
    driven = Driven(tmp_path, most=0)
    status, headers, body = driven.ask("POST", "/v1/traces", PROTOBUF, otlp.traces_protobuf())
    assert (503, "1", 14) == (status, headers["retry-after"], status_of(body)[0])
    status, headers, body = driven.ask("POST", "/v1/events", EVENT, b"{}")
    assert (503, "1", "application/problem+json") == (status, headers["retry-after"], headers["content-type"])
    assert 503 == driven.ask("GET", "/readyz")[0]
    assert {} == driven.tally()


def test_an_inbox_that_cannot_be_written_is_a_passing_fault(driven: Driven, tmp_path: Path) -> None:
    for file in tmp_path.iterdir():
        file.write_bytes(b"this is no database any more" * 1000)
    status, headers, _ = driven.ask("POST", "/v1/traces", PROTOBUF, otlp.traces_protobuf())
    assert (503, "1") == (status, headers["retry-after"])


def test_a_log_answer_names_log_records() -> None:
    from timeline.ingest.request import BadItem
    from timeline.receive import answers

    bad = (BadItem(position=0, reason="too_deep", message="nested too deep", data=b""),)
    plain = answers.exported("logs", "application/x-protobuf", bad).body
    assert 1 == ExportLogsServiceResponse.FromString(plain).partial_success.rejected_log_records
    assert (
        "1"
        == json.loads(answers.exported("logs", "application/json", bad).body)["partialSuccess"][
            "rejectedLogRecords"
        ]
    )
