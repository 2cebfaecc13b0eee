"""The messages of OTLP JSON as typed structs with the names and types of the protobuf ones.

They do what the generic protobuf JSON mapping would get wrong: ids are hex in any case,
64-bit integers come as text or number, unknown fields and null are absent. After decoding
ids are bytes, numbers are integers and nothing but an ``AnyValue`` is ``None``.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

_Number = int | float | str | None

_KINDS: Final = {
    f"SPAN_KIND_{name}": number
    for number, name in enumerate(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"))
}
_CODES: Final = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}


def _hex(found: Any, name: str, *, strict: bool = True) -> bytes:
    """The bytes of a hex id; with ``strict`` text that is no hex refuses its item."""
    if not found or isinstance(found, bytes):
        return found or b""
    try:
        if isinstance(found, str) and found.isalnum():  # fromhex would skip spaces
            return bytes.fromhex(found)
    except ValueError:
        pass
    if strict:
        raise ValueError(f"bad_{name}")
    return b""


def _integer(found: _Number, bits: int) -> int:
    """An unsigned integer that came as number or text; absent is 0."""
    if found is None:
        return 0
    try:
        number = int(float(found) if isinstance(found, str) and not found.isdigit() else found)
    except (ValueError, OverflowError):
        raise ValueError("bad_number") from None
    if number < 0 or number >> bits or (isinstance(found, float) and number != found):
        raise ValueError("bad_number")
    return number


def _enum(found: int | str | None, names: dict[str, int]) -> int:
    """Enums are integers; the names that older senders write are understood too."""
    if isinstance(found, str):
        if found in names:
            return names[found]
        if not (found.isascii() and found.isdigit() and len(found) < 10):
            raise ValueError("bad_enum")
    return int(found or 0)


class Json(msgspec.Struct, rename="camel", gc=False):
    """Base of the messages: lowerCamelCase keys, unknown ones ignored."""


class Many(Json):
    """``ArrayValue``."""

    values: list[AnyValue] | None = None


class Pairs(Json):
    """``KeyValueList``."""

    values: list[KeyValue] | None = None


class AnyValue(Json):
    """``AnyValue``: at most one member is set."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: _Number = None
    double_value: _Number = None
    array_value: Many | None = None
    kvlist_value: Pairs | None = None
    bytes_value: str | None = None


class KeyValue(Json):
    """``KeyValue``."""

    key: str | None = None
    value: AnyValue | None = None


class _Attributed(Json):
    attributes: list[KeyValue] | None = None
    dropped_attributes_count: _Number = None

    def __post_init__(self) -> None:
        self.attributes = self.attributes or []
        self.dropped_attributes_count = _integer(self.dropped_attributes_count, 32)


class Resource(_Attributed):
    """``Resource``."""


class InstrumentationScope(_Attributed):
    """``InstrumentationScope``."""

    name: str | None = None
    version: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.name, self.version = self.name or "", self.version or ""


class SpanEvent(_Attributed):
    """``Span.Event``."""

    time_unix_nano: _Number = None
    name: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.time_unix_nano, self.name = _integer(self.time_unix_nano, 64), self.name or ""


class SpanLink(_Attributed):
    """``Span.Link``."""

    trace_id: Any = None  # hex, then bytes
    span_id: Any = None  # hex, then bytes
    trace_state: str | None = None
    flags: _Number = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.trace_id, self.span_id = _hex(self.trace_id, "trace_id"), _hex(self.span_id, "span_id")
        self.trace_state, self.flags = self.trace_state or "", _integer(self.flags, 32)


class SpanStatus(Json):
    """``Status``."""

    code: int | str | None = None
    message: str | None = None

    def __post_init__(self) -> None:
        self.code, self.message = _enum(self.code, _CODES), self.message or ""


class Span(_Attributed):
    """``Span``."""

    trace_id: Any = None  # hex, then bytes
    span_id: Any = None  # hex, then bytes
    parent_span_id: Any = None  # hex, then bytes
    trace_state: str | None = None
    flags: _Number = None
    name: str | None = None
    kind: int | str | None = None
    start_time_unix_nano: _Number = None
    end_time_unix_nano: _Number = None
    events: list[SpanEvent] | None = None
    dropped_events_count: _Number = None
    links: list[SpanLink] | None = None
    dropped_links_count: _Number = None
    status: SpanStatus | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.trace_id = _hex(self.trace_id, "trace_id")
        self.span_id = _hex(self.span_id, "span_id")
        self.parent_span_id = _hex(self.parent_span_id, "parent_id")
        self.trace_state, self.name = self.trace_state or "", self.name or ""
        self.flags, self.kind = _integer(self.flags, 32), _enum(self.kind, _KINDS)
        self.start_time_unix_nano = _integer(self.start_time_unix_nano, 64)
        self.end_time_unix_nano = _integer(self.end_time_unix_nano, 64)
        self.events, self.links = self.events or [], self.links or []
        self.dropped_events_count = _integer(self.dropped_events_count, 32)
        self.dropped_links_count = _integer(self.dropped_links_count, 32)
        self.status = self.status or _UNSET


class LogRecord(_Attributed):
    """``LogRecord``."""

    time_unix_nano: _Number = None
    observed_time_unix_nano: _Number = None
    severity_number: int | str | None = None
    severity_text: str | None = None
    body: AnyValue | None = None
    flags: _Number = None
    trace_id: Any = None  # hex, then bytes
    span_id: Any = None  # hex, then bytes
    event_name: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.time_unix_nano = _integer(self.time_unix_nano, 64)
        self.observed_time_unix_nano = _integer(self.observed_time_unix_nano, 64)
        self.severity_number = _enum(self.severity_number, {})
        self.severity_text, self.event_name = self.severity_text or "", self.event_name or ""
        self.flags, self.body = _integer(self.flags, 32), self.body or _EMPTY
        self.trace_id = _hex(self.trace_id, "trace_id", strict=False)
        self.span_id = _hex(self.span_id, "span_id", strict=False)


class ScopeSpans(Json):
    """``ScopeSpans``."""

    scope: InstrumentationScope | None = None
    spans: list[Span] | None = None
    schema_url: str | None = None

    def __post_init__(self) -> None:
        self.scope = self.scope or _NO_SCOPE


class ScopeLogs(Json):
    """``ScopeLogs``."""

    scope: InstrumentationScope | None = None
    log_records: list[LogRecord] | None = None
    schema_url: str | None = None

    def __post_init__(self) -> None:
        self.scope = self.scope or _NO_SCOPE


class ResourceSpans(Json):
    """``ResourceSpans``."""

    resource: Resource | None = None
    scope_spans: list[ScopeSpans] | None = None
    schema_url: str | None = None

    def __post_init__(self) -> None:
        self.resource = self.resource or _NO_RESOURCE


class ResourceLogs(Json):
    """``ResourceLogs``."""

    resource: Resource | None = None
    scope_logs: list[ScopeLogs] | None = None
    schema_url: str | None = None

    def __post_init__(self) -> None:
        self.resource = self.resource or _NO_RESOURCE


class Traces(Json):
    """``ExportTraceServiceRequest``."""

    resource_spans: list[ResourceSpans] | None = None


class Logs(Json):
    """``ExportLogsServiceRequest``."""

    resource_logs: list[ResourceLogs] | None = None


_UNSET: Final = SpanStatus()
_EMPTY: Final = AnyValue()
_NO_SCOPE: Final = InstrumentationScope()
_NO_RESOURCE: Final = Resource()
