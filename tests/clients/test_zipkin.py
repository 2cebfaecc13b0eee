"""Zipkin v2 spans from a real exporter, and what a reporter is answered."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request

import pytest
from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from tests.receiving import Running, wait_for
from timeline.domain import Span
from timeline.ingest.decode import decode
from timeline.ingest.entities import Rules

pytestmark = pytest.mark.server


def _post(running: Running, body: bytes, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(
        f"{running.url}/api/v2/spans", data=body, headers={"content-type": "application/json", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_spans_of_the_python_exporter_arrive_whole(running: Running) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(ZipkinExporter(endpoint=f"{running.url}/api/v2/spans")))
    with provider.get_tracer("t").start_as_current_span("order", kind=SpanKind.PRODUCER) as span:
        span.set_attributes({"order.id": "7", "n": 3})
        span.add_event("packed")
        span.set_status(StatusCode.ERROR, "out of stock")
    provider.shutdown()
    (request,) = running.accepted()
    (stored,) = decode(request, Rules.default()).facts
    fact = stored.fact
    assert isinstance(fact, Span)
    assert ("order", "shop", "producer", "7", "3", "error", "out of stock") == (
        fact.name, fact.service, fact.kind, fact.attributes["order.id"], fact.attributes["n"], fact.status,
        fact.status_message,
    )  # fmt: skip
    assert ["packed"] == [note.name.partition(":")[0].strip('{" ') for note in fact.annotations]


def test_a_reporter_is_told_202_and_gzip_is_fine(running: Running) -> None:
    body = json.dumps([{"traceId": "a1", "id": "b1"}]).encode()
    assert (202, b"") == _post(running, gzip.compress(body), **{"content-encoding": "gzip"})
    (request,) = running.accepted()
    assert ("zipkin", 1) == (request.signal, request.items)


def test_neighbours_of_a_bad_span_are_kept(running: Running) -> None:
    body = json.dumps([{"traceId": "zz", "id": "b1"}, {"traceId": "a2", "id": "b2"}]).encode()
    assert (202, b"") == _post(running, body)
    (request,) = running.accepted()
    assert 1 == request.items
    wait_for(lambda: ("refused", "bad_trace_id") in running.tally(), "the refusal's count")


@pytest.mark.parametrize(
    ("body", "kind", "status", "said"),
    [
        (b'[{"traceId":"zz"}]', "application/json", 400, "hexadecimal digits"),
        (b"{}", "application/json", 400, "list of Zipkin v2 spans"),
        (b"\x0a\x00", "application/x-protobuf", 415, "zipkin is sent as application/json"),
    ],
)
def test_what_is_wrong_is_said_in_a_problem_document(
    running: Running, body: bytes, kind: str, status: int, said: str
) -> None:
    code, answer = _post(running, body, **{"content-type": kind})
    assert status == code
    assert said in json.loads(answer)["detail"]
