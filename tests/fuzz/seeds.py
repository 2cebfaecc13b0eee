"""What mutation begins with: real requests of every client, one of each kind, and what once went wrong."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Final

import zstandard

from tests.payloads.capture import HERE as PAYLOADS
from tests.payloads.capture import load
from tests.timeline.ingest.otlp_requests import logs, otlp_json, traces
from timeline.ingest.rows import Row, Rows
from timeline.ingest.rows import encode as encode_rows
from timeline.ingest.tapped import Record, Records
from timeline.ingest.tapped import encode as encode_records

CORPUS: Final = Path(__file__).parent / "corpus"
_VALUES: Final = {
    "a": 1,
    "b": [True, None, 1.5, {"c": "d" * 30}],
    "order.id": "77",
    "x": b"\x00\xff",
    "password": "p",
}
_TRACES: Final = traces({"name": "one", "attributes": _VALUES}, {"name": "two"}, resource=_VALUES)
_LOGS: Final = logs({"body": _VALUES, "attributes": _VALUES}, {"body": "text a@b.example"})
_EVENT: Final = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop",
    "type": "Paid",
    "time": "2026-11-26T10:00:00.5Z",
    "data": {"pan": "4111111111111111"},
}
_ZIPKIN: Final = [
    {
        "traceId": "1" * 32,
        "id": "2" * 16,
        "parentId": "3" * 16,
        "name": "get",
        "kind": "SERVER",
        "timestamp": 1_790_000_000_000_000,
        "duration": 5,
        "shared": True,
        "localEndpoint": {"serviceName": "a", "ipv4": "10.0.0.1", "port": 80},
        "tags": {"kafka.topic": "t", "error": ""},
        "annotations": [{"timestamp": 1_790_000_000_000_000, "value": "ws"}],
    }
]
_QUERIES: Final = (
    b"bet:8812",
    b"service:wallet type:BetPlaced NOT status:error",
    b"(service:a OR service:b) duration>500ms order.total>=100",
    b'"could not be settled" has:order.id name:credit*',
    b"order.total:5..10 time:now-1h",
    b"orders/4/20931",
    b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\nce-id: 5",
    b"curl -H 'X-Id: 5' 'http://h/p?a=b' -d '{\"id\": 1}'",
    b'2026-11-26T10:00:00Z ERROR wallet could not settle {"bet": "8812"}',
)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


_BINARY: Final = (
    b"ce-id: e-1\nce-source: /s\nce-type: T\nce-specversion: 1.0\ncontent-type: application/json\n\n{}"
)
_PLAIN: Final[dict[str, list[bytes]]] = {
    "otlp-traces-protobuf": [_TRACES.SerializeToString()],
    "otlp-logs-protobuf": [_LOGS.SerializeToString()],
    "otlp-traces-json": [_json(otlp_json(_TRACES))],
    "otlp-logs-json": [_json(otlp_json(_LOGS))],
    "gzip": [gzip.compress(_TRACES.SerializeToString()), gzip.compress(b"a") + gzip.compress(b"b")],
    "zstd": [zstandard.compress(_TRACES.SerializeToString())],
    "deflate": [zlib.compress(_TRACES.SerializeToString()), zlib.compress(b"x" * 5000)[2:-4]],
    "cloudevents-structured": [_json(_EVENT), _json({**_EVENT, "data": None, "data_base64": "AAE="})],
    "cloudevents-batch": [_json([_EVENT, {**_EVENT, "id": "e-2"}, {"id": "bad"}])],
    "cloudevents-binary": [_BINARY],
    "zipkin": [_json(_ZIPKIN)],
    "rows": [
        encode_rows(Rows(name="f", rows=[Row(name="r", at=10**18, body={"a": 1}, attributes={"b": "c"})]))
    ],
    "records": [
        encode_records(
            Records(
                cluster="c",
                records=[Record(topic="t", partition=0, offset=1, name="n", id="i", body=[1, "x"])],
            )
        )
    ],
    "tap": [b'k\0{"a": 1}\0ce_id e-1\0tracepar00-' + b"4" * 20, b"\0"],
    "query": list(_QUERIES),
    "headers": [
        b"traceparent:00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\ntracestate:a=1,b=2\nbaggage:k=v;p=1,x=%20",
        b"elastic-apm-traceparent:00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ],
    "markers": [
        _json({"service": "wallet", "version": "2.14.0", "time": "2026-11-26T10:00:00Z"}),
        _json([{"title": "x"}]),
    ],
    "http": [
        b"\0\0\0\0" + _TRACES.SerializeToString(),
        b"\0\1\0\0" + _json(otlp_json(_TRACES)),
        b"\1\0\1\0" + gzip.compress(_LOGS.SerializeToString()),
        b"\2\2\0\0" + _json(_EVENT),
        b"\2\3\2\0" + zstandard.compress(_json([_EVENT])),
        b"\4\1\0\0" + _json({"title": "x"}),
        b"\5\1\0\0" + _json(_ZIPKIN),
    ],
}
_SIGNALS: Final = {"/v1/traces": "traces", "/v1/logs": "logs", "/v1/events": "events"}


def seeds(target: str) -> list[bytes]:
    """The inputs of a target, what was kept in its corpus included."""
    kept = [file.read_bytes() for file in sorted((CORPUS / target).glob("*"))]
    return [*_PLAIN[target], *_captured(target), *kept]


def _captured(target: str) -> list[bytes]:
    """Bodies of real clients that belong to it."""
    found = []
    for file in sorted(PAYLOADS.rglob("*.http")):
        payload = load(file)
        headers = {name.lower(): value for name, value in payload.headers}
        media = headers.get("content-type", "")
        form = "json" if "json" in media else "protobuf"
        own = f"otlp-{_SIGNALS[payload.path]}-{form}"
        if _SIGNALS[payload.path] == "events":
            own = (
                "cloudevents-batch"
                if "batch" in media
                else "cloudevents-structured"
                if "cloudevents" in media
                else ""
            )
        if own == target and not headers.get("content-encoding"):
            found.append(payload.body)
    return found
