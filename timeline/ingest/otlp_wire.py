"""The messages of OTLP, read one level deep: attributes stay bytes until they are met first.

Protobuf writes a message inside a message as it writes bytes, so a second description of
the same wire format gives each attribute as its bytes at once, without an object for it.
Most attributes repeat from span to span: what their bytes mean is worked out once.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)

_TYPE: Final = descriptor_pb2.FieldDescriptorProto
_PACKAGE: Final = "throughline.wire"
_BYTES, _STRING, _MESSAGE = _TYPE.TYPE_BYTES, _TYPE.TYPE_STRING, _TYPE.TYPE_MESSAGE
_UINT32, _INT32 = _TYPE.TYPE_UINT32, _TYPE.TYPE_INT32
_FIXED32, _FIXED64 = _TYPE.TYPE_FIXED32, _TYPE.TYPE_FIXED64

# Field numbers of opentelemetry-proto 1.11; enums are integers, since unknown ones are kept.
# message -> field -> (number, type, repeated, message type)
_Fields = dict[str, tuple[int, int, bool, str]]


def _one(number: int, kind: int, of: str = "") -> tuple[int, int, bool, str]:
    return number, kind, False, of


def _many(number: int, kind: int, of: str = "") -> tuple[int, int, bool, str]:
    return number, kind, True, of


_MESSAGES: Final[dict[str, _Fields]] = {
    "Resource": {"attributes": _many(1, _BYTES), "dropped_attributes_count": _one(2, _UINT32)},
    "Scope": {
        "name": _one(1, _STRING),
        "version": _one(2, _STRING),
        "attributes": _many(3, _BYTES),
        "dropped_attributes_count": _one(4, _UINT32),
    },
    "Status": {"message": _one(2, _STRING), "code": _one(3, _INT32)},
    "Event": {
        "time_unix_nano": _one(1, _FIXED64),
        "name": _one(2, _STRING),
        "attributes": _many(3, _BYTES),
        "dropped_attributes_count": _one(4, _UINT32),
    },
    "Link": {
        "trace_id": _one(1, _BYTES),
        "span_id": _one(2, _BYTES),
        "trace_state": _one(3, _STRING),
        "attributes": _many(4, _BYTES),
        "dropped_attributes_count": _one(5, _UINT32),
        "flags": _one(6, _FIXED32),
    },
    "Span": {
        "trace_id": _one(1, _BYTES),
        "span_id": _one(2, _BYTES),
        "trace_state": _one(3, _STRING),
        "parent_span_id": _one(4, _BYTES),
        "name": _one(5, _STRING),
        "kind": _one(6, _INT32),
        "start_time_unix_nano": _one(7, _FIXED64),
        "end_time_unix_nano": _one(8, _FIXED64),
        "attributes": _many(9, _BYTES),
        "dropped_attributes_count": _one(10, _UINT32),
        "events": _many(11, _MESSAGE, "Event"),
        "dropped_events_count": _one(12, _UINT32),
        "links": _many(13, _MESSAGE, "Link"),
        "dropped_links_count": _one(14, _UINT32),
        "status": _one(15, _MESSAGE, "Status"),
        "flags": _one(16, _FIXED32),
    },
    "LogRecord": {
        "time_unix_nano": _one(1, _FIXED64),
        "severity_number": _one(2, _INT32),
        "severity_text": _one(3, _STRING),
        "body": _one(5, _MESSAGE, ".opentelemetry.proto.common.v1.AnyValue"),
        "attributes": _many(6, _BYTES),
        "dropped_attributes_count": _one(7, _UINT32),
        "flags": _one(8, _FIXED32),
        "trace_id": _one(9, _BYTES),
        "span_id": _one(10, _BYTES),
        "observed_time_unix_nano": _one(11, _FIXED64),
        "event_name": _one(12, _STRING),
    },
    "ScopeSpans": {
        "scope": _one(1, _MESSAGE, "Scope"),
        "spans": _many(2, _MESSAGE, "Span"),
        "schema_url": _one(3, _STRING),
    },
    "ResourceSpans": {
        "resource": _one(1, _MESSAGE, "Resource"),
        "scope_spans": _many(2, _MESSAGE, "ScopeSpans"),
        "schema_url": _one(3, _STRING),
    },
    "Traces": {"resource_spans": _many(1, _MESSAGE, "ResourceSpans")},
    "ScopeLogs": {
        "scope": _one(1, _MESSAGE, "Scope"),
        "log_records": _many(2, _MESSAGE, "LogRecord"),
        "schema_url": _one(3, _STRING),
    },
    "ResourceLogs": {
        "resource": _one(1, _MESSAGE, "Resource"),
        "scope_logs": _many(2, _MESSAGE, "ScopeLogs"),
        "schema_url": _one(3, _STRING),
    },
    "Logs": {"resource_logs": _many(1, _MESSAGE, "ResourceLogs")},
    # spans stay bytes, too
    "RawScope": {
        "scope": _one(1, _MESSAGE, "Scope"),
        "spans": _many(2, _BYTES),
        "schema_url": _one(3, _STRING),
    },
    "RawResource": {
        "resource": _one(1, _MESSAGE, "Resource"),
        "scope_spans": _many(2, _MESSAGE, "RawScope"),
        "schema_url": _one(3, _STRING),
    },
    "RawTraces": {"resource_spans": _many(1, _MESSAGE, "RawResource")},
    # only to count many items: the field numbers of both signals are the same
    "CountedScope": {"items": _many(2, _BYTES)},
    "CountedResource": {"scopes": _many(2, _MESSAGE, "CountedScope")},
    "Counted": {"resources": _many(1, _MESSAGE, "CountedResource")},
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="throughline/wire.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=["opentelemetry/proto/common/v1/common.proto"],
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated, of) in fields.items():
            message.field.add(
                name=field,
                number=number,
                type=kind,
                label=_TYPE.LABEL_REPEATED if repeated else _TYPE.LABEL_OPTIONAL,
                type_name=(of if of.startswith(".") else f".{_PACKAGE}.{of}") if of else None,
            )
    return file


def _classes() -> dict[str, Any]:
    # imported for its registration: the body of a log record is a message of it
    from opentelemetry.proto.common.v1 import common_pb2  # noqa: F401

    pool = descriptor_pool.Default()
    pool.AddSerializedFile(_file().SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


MESSAGES: Final = _classes()
"""The message classes by name; ``Traces`` and ``Logs`` are the export requests."""
