"""Real clients, each told the same story (``story.json``) and pointed at a receiver."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".cache"
STORY: dict[str, Any] = json.loads((HERE / "story.json").read_text())
TELEMETRYGEN = CACHE / "bin" / "telemetrygen-v0.161.0"


def javascript(url: str, client: str, compression: str = "none") -> None:
    """``traces:<exporter>``, ``logs:<exporter>`` or ``events:<mode>`` with the JavaScript libraries."""
    _installed(CACHE / "node" / "node_modules")
    asked = json.dumps({"client": client, "url": url, "compression": compression})
    _run(["node", str(HERE / "send.mjs"), asked])


def python_traces(url: str, compression: str = "gzip") -> None:
    """The story's spans with the OpenTelemetry SDK and OTLP/HTTP exporter for Python."""
    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces", compression=Compression(compression))
    provider = TracerProvider(
        resource=Resource(STORY["resource"]), id_generator=_Told(), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer(STORY["scope"]["name"], STORY["scope"]["version"])
    parent = None
    for told in STORY["spans"]:
        span = tracer.start_span(
            told["name"],
            context=trace.set_span_in_context(parent) if parent else None,
            kind=trace.SpanKind[told["kind"].upper()],
            attributes=told["attributes"],
            links=[trace.Link(_context(link), link["attributes"]) for link in told["links"]],
            start_time=int(told["start"]),
        )
        for note in told["annotations"]:
            span.add_event(note["name"], note["attributes"], int(note["at"]))
        span.set_status(trace.StatusCode[told["status"].upper()], told["status_message"] or None)
        span.end(int(told["end"]))
        parent = span
    assert provider.force_flush()
    provider.shutdown()


def python_logs(url: str, compression: str = "gzip") -> None:
    """The story's log records with the OpenTelemetry SDK and OTLP/HTTP exporter for Python."""
    exporter = OTLPLogExporter(endpoint=f"{url}/v1/logs", compression=Compression(compression))
    provider = LoggerProvider(resource=Resource(STORY["resource"]), shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = provider.get_logger(STORY["scope"]["name"], STORY["scope"]["version"])
    for told in STORY["records"]:
        logger.emit(
            LogRecord(
                timestamp=int(told["at"]),
                observed_timestamp=int(told["observed"]),
                severity_number=SeverityNumber(told["severity_number"]),
                severity_text=told["severity"],
                body=told["body"],
                attributes=told["attributes"],
            )
        )
    provider.force_flush()
    provider.shutdown()


def python_events(url: str, mode: str) -> None:
    """The story's events with the CloudEvents SDK for Python; its batches are put together by hand."""
    made = [_event(told) for told in STORY["events"]]
    if mode == "batch":
        whole = [json.loads(to_structured_event(event).body) for event in made]
        _post(url, {"content-type": "application/cloudevents-batch+json"}, json.dumps(whole).encode())
        return
    for event in made:
        message = to_binary_event(event) if mode == "binary" else to_structured_event(event)
        _post(url, message.headers, message.body)


def telemetrygen(url: str, signal: str) -> None:
    """Three traces of three spans, or five log records, with the Collector project's generator."""
    _installed(TELEMETRYGEN)
    count = (
        ["--traces", "3", "--child-spans", "2", "--span-links", "1"]
        if signal == "traces"
        else ["--logs", "5"]
    )
    named = [
        "--service",
        "generated",
        "--telemetry-attributes",
        'order="42"',
        "--telemetry-attributes",
        "vip=true",
    ]
    where = ["--otlp-http", "--otlp-insecure", "--otlp-endpoint", url.removeprefix("http://"), "--rate", "0"]
    _run([str(TELEMETRYGEN), signal, *where, *count, *named])


def curl(url: str, path: str, headers: dict[str, str], body: bytes, *flags: str) -> tuple[int, bytes]:
    """One POST with curl: status and body."""
    named = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["curl", "-s", "-w", "\n%{http_code}", "--data-binary", "@-", *named, *flags, url + path]
    found = subprocess.run(command, input=body, capture_output=True, check=True, timeout=30).stdout
    content, _, status = found.rpartition(b"\n")
    return int(status), content


class _Told(IdGenerator):
    """The story's ids, in order."""

    def __init__(self) -> None:
        self._spans: Iterator[str] = iter([span["span_id"] for span in STORY["spans"]])

    def generate_trace_id(self) -> int:
        return int(STORY["trace_id"], 16)

    def generate_span_id(self) -> int:
        return int(next(self._spans), 16)


def _context(link: dict[str, str]) -> trace.SpanContext:
    return trace.SpanContext(int(link["trace_id"], 16), int(link["span_id"], 16), is_remote=True)


def _event(told: dict[str, Any]) -> CloudEvent:
    from datetime import datetime

    attributes = {name: value for name, value in told.items() if name != "data"}
    return CloudEvent(attributes | {"time": datetime.fromisoformat(told["time"])}, told["data"])


def _post(url: str, headers: dict[str, str], body: bytes | str) -> None:
    answer = requests.post(f"{url}/v1/events", headers=headers, data=body, timeout=10)
    assert answer.status_code == 202, answer.text


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "rror" not in done.stderr, done.stderr


def _installed(path: Path) -> None:
    assert path.exists(), f"{path} is missing: run tests/clients/install.sh"
