"""Real clients over real sockets: what they were told to send is what decoding gives."""

from __future__ import annotations

import pytest

from tests.clients import compare, drive
from tests.receiving import Running
from tests.timeline.receive import otlp
from timeline.domain import Event, Span

pytestmark = pytest.mark.server


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_spans_of_the_python_sdk_arrive_as_told(running: Running, compression: str) -> None:
    drive.python_traces(running.url, compression)
    assert compare.told_spans() == [compare.span_values(fact) for fact in compare.facts(running.accepted())]


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_log_records_of_the_python_sdk_arrive_as_told(running: Running, compression: str) -> None:
    drive.python_logs(running.url, compression)
    assert compare.told_records() == [
        compare.record_values(fact) for fact in compare.facts(running.accepted())
    ]


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("exporter", ["trace-otlp-http", "trace-otlp-proto"])
def test_spans_of_the_javascript_sdk_arrive_as_told(
    running: Running, exporter: str, compression: str
) -> None:
    drive.javascript(running.url, f"traces:{exporter}", compression)
    assert compare.told_spans() == [compare.span_values(fact) for fact in compare.facts(running.accepted())]


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("exporter", ["logs-otlp-http", "logs-otlp-proto"])
def test_log_records_of_the_javascript_sdk_arrive_as_told(
    running: Running, exporter: str, compression: str
) -> None:
    drive.javascript(running.url, f"logs:{exporter}", compression)
    assert compare.told_records() == [
        compare.record_values(fact) for fact in compare.facts(running.accepted())
    ]


@pytest.mark.parametrize(("mode", "requests"), [("binary", 2), ("structured", 2), ("batch", 1)])
@pytest.mark.parametrize("language", ["javascript", "python"])
def test_cloudevents_arrive_as_told(running: Running, language: str, mode: str, requests: int) -> None:
    if language == "javascript":
        drive.javascript(running.url, f"events:{mode}")
    else:
        drive.python_events(running.url, mode)
    accepted = running.accepted(requests)
    assert requests == len(accepted)
    found = sorted(
        (compare.event_values(fact) for fact in compare.facts(accepted)), key=lambda event: event["id"]
    )
    assert compare.told_events() == found


def test_traces_of_telemetrygen_arrive_whole(running: Running) -> None:
    drive.telemetrygen(running.url, "traces")
    spans = compare.facts(running.accepted())
    assert 9 == len(spans)
    assert 3 == len({span.ref.trace_id for span in spans if isinstance(span, Span)})
    assert any(span.links for span in spans if isinstance(span, Span))
    for span in spans:
        assert isinstance(span, Span)
        assert ("generated", "42", True) == (span.service, span.attributes["order"], span.attributes["vip"])


def test_log_records_of_telemetrygen_arrive_whole(running: Running) -> None:
    drive.telemetrygen(running.url, "logs")
    records = compare.facts(running.accepted())
    assert 5 == len(records)
    for record in records:
        assert isinstance(record, Event)
        assert ("generated", "log", "42") == (record.service, record.kind, record.attributes["order"])


@pytest.mark.parametrize(
    "flags", [(), ("-H", "transfer-encoding: chunked"), ("-H", "expect: 100-continue"), ("--http1.0",)]
)
def test_curl_sends_and_reads_the_answer(running: Running, flags: tuple[str, ...]) -> None:
    status, body = drive.curl(running.url, "/v1/traces", otlp.JSON, otlp.traces(), *flags)
    assert (200, b"{}") == (status, body)
    assert 1 == len(compare.facts(running.accepted()))
