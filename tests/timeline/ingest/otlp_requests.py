"""OTLP requests for tests, in both encodings, and short ways to judge and decode them."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from timeline.domain import Stored
from timeline.ingest.decode import Rules, decode, inspect
from timeline.ingest.request import Accepted, Decoded, Inspection

START = 1_790_000_000_000_000_000
PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json; charset=utf-8"}


def any_value(value: Any) -> AnyValue:
    """The value as an ``AnyValue``; ``None`` is one with nothing set."""
    found = AnyValue()
    if isinstance(value, bool):
        found.bool_value = value
    elif isinstance(value, str):
        found.string_value = value
    elif isinstance(value, int):
        found.int_value = value
    elif isinstance(value, float):
        found.double_value = value
    elif isinstance(value, bytes):
        found.bytes_value = value
    elif isinstance(value, list):
        found.array_value.SetInParent()
        for one in value:
            found.array_value.values.append(any_value(one))
    elif isinstance(value, dict):
        found.kvlist_value.SetInParent()
        put(found.kvlist_value.values, value)
    return found


def put(pairs: Any, attributes: dict[str, Any]) -> None:
    """Append attributes to a repeated ``KeyValue`` field."""
    for key, value in attributes.items():
        pairs.add(key=key).value.CopyFrom(any_value(value))


def traces(*spans: dict[str, Any], resource: dict[str, Any] | None = None) -> ExportTraceServiceRequest:
    """A request with one resource and scope; spans take fields, ``attributes`` as a dict."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.44.0")
    put(group.resource.attributes, {"service.name": "wallet"} if resource is None else resource)
    scope = group.scope_spans.add()
    scope.scope.name, scope.scope.version = "tracing", "1.0"
    for number, fields in enumerate(spans, 1):
        given = {
            "trace_id": b"\xab" * 16,
            "span_id": number.to_bytes(8, "big"),
            "name": "process bets",
            "start_time_unix_nano": START + number,
            "end_time_unix_nano": START + 5_000_000,
        } | fields
        attributes = given.pop("attributes", {})
        put(scope.spans.add(**given).attributes, attributes)
    return request


def logs(*records: dict[str, Any], resource: dict[str, Any] | None = None) -> ExportLogsServiceRequest:
    """A request with one resource and scope; records take fields, ``body`` as a plain value."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    put(group.resource.attributes, {"service.name": "wallet"} if resource is None else resource)
    scope = group.scope_logs.add()
    scope.scope.name = "wallet.bets"
    for fields in records:
        given = {"time_unix_nano": START, "observed_time_unix_nano": START + 1_000_000} | fields
        attributes, body = given.pop("attributes", {}), given.pop("body", None)
        record = scope.log_records.add(**given)
        put(record.attributes, attributes)
        if body is not None:
            record.body.CopyFrom(any_value(body))
    return request


def otlp_json(request: Any) -> dict[str, Any]:
    """The request as OTLP JSON writes it: ids in hex, enums as integers."""
    return _fixed(MessageToDict(request, use_integers_for_enums=True))


def _fixed(found: Any) -> Any:
    if isinstance(found, list):
        return [_fixed(one) for one in found]
    if not isinstance(found, dict):
        return found
    ids = ("traceId", "spanId", "parentSpanId")
    return {
        key: base64.b64decode(value).hex() if key in ids and isinstance(value, str) else _fixed(value)
        for key, value in found.items()
    }


def accepted(request: Any, signal: str = "traces", **fields: Any) -> Accepted:
    """The request as the inbox keeps it: a protobuf message, a JSON tree, or plain bytes."""
    if isinstance(request, bytes):
        body, headers = request, PROTOBUF
    elif isinstance(request, (dict, list)):
        body, headers = json.dumps(request).encode(), JSON
    else:
        body, headers = request.SerializeToString(), PROTOBUF
    given = {
        "id": "request-1",
        "signal": signal,
        "content_encoding": "",
        "headers": headers,
        "body": body,
        "received": START + 1_000_000_000,
    }
    return Accepted(**(given | fields))


def judged(request: Any, signal: str = "traces", **fields: Any) -> Inspection:
    """What the receiver learns of the request."""
    return inspect(accepted(request, signal, **fields))


def decoded(request: Any, signal: str = "traces", rules: Rules | None = None, **fields: Any) -> Decoded:
    """What the drain makes of the request."""
    return decode(accepted(request, signal, **fields), rules or Rules.default())


def only(request: Any, signal: str = "traces", rules: Rules | None = None, **fields: Any) -> Stored:
    """The one fact of the request; fails where there is another or poison."""
    found = decoded(request, signal, rules, **fields)
    assert (len(found.facts), found.poison) == (1, [])
    return found.facts[0]


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field, for bodies that no library would write."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def fixed64(number: int, value: int) -> bytes:
    """A fixed64 protobuf field."""
    return _varint(number << 3 | 1) + struct.pack("<Q", value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))
