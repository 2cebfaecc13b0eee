"""Ended spans as the bytes of an OTLP request, without a protobuf object for each of their attributes.

In come ended spans, out goes an ``ExportTraceServiceRequest`` (OTLP 1.11). The library's own encoder takes 60 us of
CPU for a span with a dozen attributes, more than making it; most of these say the same on every span of a
destination, so they are written once and kept. What is not plain (events, nested values) goes the library's way,
into the same request: requests can be put together end to end.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, SpanKind

MOST_KEYS, MOST_VALUES = 512, 64  # attributes that are written once, and values of each
_LONGEST_KEPT = 256  # bytes of such an attribute
_KINDS = {
    SpanKind.INTERNAL: b"\x01",
    SpanKind.SERVER: b"\x02",
    SpanKind.CLIENT: b"\x03",
    SpanKind.PRODUCER: b"\x04",
    SpanKind.CONSUMER: b"\x05",
}
_TIMES = struct.Struct("<BQBQ").pack  # start and end, each behind its tag
_DOUBLE = struct.Struct("<d").pack
_HERE, _REMOTE = b"\x00\x01\x00\x00", b"\x00\x03\x00\x00"  # "is remote" is known; and it is


class Request:
    """An encoded request; gives its bytes as the protobuf object would."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def SerializePartialToString(self) -> bytes:  # noqa: N802  the name protobuf gave it
        """The bytes."""
        return self._data


def quicken(exporter: type) -> Any:
    """``export`` of the library's exporter with this encoder in the place of its own.

    The function as it is where it encodes in another way.
    """
    export: Any = vars(exporter)["export"]
    if "encode_spans" not in export.__code__.co_names:
        return export
    own = export.__globals__
    # all of it stays the library's: time-outs, further tries, limits, what it says of failures
    return FunctionType(export.__code__, {**own, "encode_spans": encode}, "export", export.__defaults__)


def encode(spans: Sequence[ReadableSpan]) -> Request:
    """All of these in one request, by resource and scope."""
    groups: dict[tuple[int, int], _Group] = {}
    others = []
    for span in spans:
        try:
            place = id(span.resource), id(span.instrumentation_scope)
            if (group := groups.get(place)) is None:
                group = groups[place] = _Group(span)
            group.rows.append(_span(span))
        except Exception:  # noqa: BLE001  not plain: the library knows how, or says what is wrong with it
            others.append(span)
    parts = [group.written() for group in groups.values() if group.rows]
    if others:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        parts.append(encode_spans(others).SerializePartialToString())
    return Request(b"".join(parts))


class _Group:
    """Spans of one resource and scope."""

    def __init__(self, first: ReadableSpan) -> None:
        resource, scope = first.resource, first.instrumentation_scope
        self.rows: list[bytes] = []
        self._resource = _field(b"\x0a", _pairs(b"\x0a", resource.attributes))
        self._schema = _text(b"\x1a", resource.schema_url)
        self._scope, self._scope_schema = b"\x0a\x00", b""
        if scope is not None:
            said = _text(b"\x0a", scope.name) + _text(b"\x12", scope.version)
            self._scope = _field(b"\x0a", said + _pairs(b"\x1a", scope.attributes))
            self._scope_schema = _text(b"\x1a", scope.schema_url)

    def written(self) -> bytes:
        spans = _field(b"\x12", self._scope + b"".join(self.rows) + self._scope_schema)
        return _field(b"\x0a", self._resource + spans + self._schema)


def _span(span: ReadableSpan) -> bytes:
    # its fields, where asking its properties would take a tenth of the whole: a missing one is the library's case
    own = vars(span)
    context, parent, links, attributes = own["_context"], own["_parent"], own["_links"], own["_attributes"]
    if own["_events"] or span.dropped_events:
        raise TypeError("events are left to the library")
    name = own["_name"].encode()
    parts = [b"\x0a\x10", context.trace_id.to_bytes(16), b"\x12\x08", context.span_id.to_bytes(8)]
    if parent is not None:
        parts += (b"\x22\x08", parent.span_id.to_bytes(8))
    if name:
        parts += (b"\x2a", _varint(len(name)), name)
    parts += (
        b"\x30",
        _KINDS[own["_kind"]],
        _TIMES(0x39, own["_start_time"] or 0, 0x41, own["_end_time"] or 0),
    )
    parts.append(_pairs(b"\x4a", attributes))
    if context.trace_state:
        parts.append(_text(b"\x1a", ",".join(f"{key}={one}" for key, one in context.trace_state.items())))
    dropped = ((b"\x50", attributes.dropped), (b"\x70", 0 if type(links) is tuple else links.dropped))
    parts += [tag + _varint(count) for tag, count in dropped if count]
    if links:
        parts += [_field(b"\x6a", _link(one)) for one in links]
    if code := own["_status"].status_code.value:
        parts.append(_field(b"\x7a", _text(b"\x12", own["_status"].description) + b"\x18" + _varint(code)))
    else:
        parts.append(b"\x7a\x00")
    parts += (b"\x85\x01", _REMOTE if parent is not None and parent.is_remote else _HERE)
    return _field(b"\x12", b"".join(parts))


def _link(link: Link) -> bytes:
    context, attributes = link.context, link.attributes
    ids = b"\x0a\x10" + context.trace_id.to_bytes(16) + b"\x12\x08" + context.span_id.to_bytes(8)
    flags = b"\x35" + (_REMOTE if context.is_remote else _HERE)
    if not attributes:
        return ids + flags
    dropped = b"\x28" + _varint(link.dropped_attributes) if link.dropped_attributes else b""
    return ids + _pairs(b"\x22", attributes) + dropped + flags


Kept = dict[tuple[bytes, str], dict[Any, bytes]]  # by tag and key, and by value
_kept: Kept = {}  # attributes of text
_kept_numbers: Kept = {}


def _pairs(tag: bytes, attributes: Mapping[str, Any] | None) -> bytes:
    """Attributes, each as a ``KeyValue`` behind this tag."""
    if not attributes:
        return b""
    parts = []
    # the SDK's mapping is slow to walk and quick to copy
    copied: dict[str, Any] = attributes.copy() if hasattr(attributes, "copy") else dict(attributes)
    for key, value in copied.items():
        kind = type(value)
        if kind is str:
            kept = _kept.get((tag, key))
        elif kind is int:  # not bool: True is the same key as 1
            kept = _kept_numbers.get((tag, key))
        else:
            parts.append(_pair(tag, key, value))
            continue
        written = kept.get(value) if kept is not None else None
        if written is None:
            written = _keep(_kept if kind is str else _kept_numbers, tag, key, value)
        parts.append(written)
    return b"".join(parts)


def _keep(kept: Kept, tag: bytes, key: str, value: Any) -> bytes:
    """An attribute that was not written before; what comes in too many values is not kept at all."""
    written = _pair(tag, key, value)
    if len(written) <= _LONGEST_KEPT:
        values = kept.get((tag, key))
        if values is None:
            if len(kept) >= MOST_KEYS:
                kept.clear()
            values = kept[tag, key] = {}
        if len(values) < MOST_VALUES:
            values[value] = written
    return written


def _pair(tag: bytes, key: str, value: Any) -> bytes:
    return _field(tag, _text(b"\x0a", key) + _field(b"\x12", _value(value)))


def _value(value: Any) -> bytes:
    kind = type(value)
    if kind is int:
        return b"\x18" + _varint(value)
    if kind is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    if kind is str:
        return _field(b"\x0a", value.encode())
    if kind is float:
        return b"\x21" + _DOUBLE(value)
    if kind is bytes:
        return _field(b"\x3a", value)
    if kind is tuple or kind is list:
        return _field(b"\x2a", b"".join([_field(b"\x0a", _value(one)) for one in value]))
    raise TypeError(f"{kind.__name__} is left to the library")


def _text(tag: bytes, value: str | None) -> bytes:
    """A field of text, which is left out where it is empty."""
    return _field(tag, value.encode()) if value else b""


def _field(tag: bytes, data: bytes) -> bytes:
    size = len(data)
    return tag + (_BYTES[size] if size < 128 else _varint(size)) + data


_BYTES = [bytes((one,)) for one in range(128)]


def _varint(number: int) -> bytes:
    if 0 <= number < 128:
        return _BYTES[number]
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError("not a 64-bit integer")
    left, written = number % (1 << 64), bytearray()
    while left >= 128:
        written.append(left & 127 | 128)
        left >>= 7
    written.append(left)
    return bytes(written)
