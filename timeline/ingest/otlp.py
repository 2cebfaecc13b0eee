"""OTLP protobuf (opentelemetry-proto 1.11) to parsed groups, whatever single items are worth.

The request is parsed in one go. Where that fails, or where a large body could make one
parse cost too much memory, a walker on the wire format cuts it into items and parses each
alone: one bad item then costs only itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from timeline.domain import Attributes, Value
from timeline.errors import MalformedPayload
from timeline.ingest.otlp_wire import MESSAGES
from timeline.ingest.parsed import (
    MAX_ITEM_BYTES,
    Dialect,
    Parsed,
    ResourceGroup,
    ScopeGroup,
    check_count,
    grouped,
    refuse,
    too_deep,
)
from timeline.ingest.request import BadItem
from timeline.ingest.values import finite
from timeline.search.fact_tokens import attribute_tokens

_WHOLE: Final = 4 * 1024 * 1024  # bodies up to here are parsed in one go
_COUNTED: Final = 1024 * 1024  # beyond this, and beyond _MANY of one scope, items are counted before
_MANY: Final = 1_000  # any is made: too many must not take others their turn
_COUNTABLE: Final = 6 * 1024 * 1024  # bytes of a scope counted at once: of empty items, 96 MiB
_REMEDY: Final = "send an ExportTraceServiceRequest or ExportLogsServiceRequest in protobuf"


class _Signal(NamedTuple):
    request: type[Message]
    light: type[Message]
    item: type[Message]
    resources: str
    scopes: str
    items: str
    noun: str


_SIGNALS: Final = {
    "traces": _Signal(
        ExportTraceServiceRequest,
        MESSAGES["Traces"],
        Span,
        "resource_spans",
        "scope_spans",
        "spans",
        "span",
    ),
    "logs": _Signal(
        ExportLogsServiceRequest,
        MESSAGES["Logs"],
        LogRecord,
        "resource_logs",
        "scope_logs",
        "log_records",
        "log record",
    ),
}


_COUNTED_REQUEST: Final = MESSAGES["Counted"]
_COUNTED_SCOPE: Final = MESSAGES["CountedScope"]


def request_class(signal: str) -> type[Message]:
    """The message that a request of this signal is."""
    return _SIGNALS[signal].request


def parse(
    body: bytes, signal: str, *, max_items: int, accepted: int | None = None, raw: bool = False
) -> Parsed:
    """The groups of a traces or logs request; an empty body is an empty request.

    ``accepted`` says how many items were accepted when the request was judged: where that is all
    of them, nothing is wrong with any, and they keep their attributes as bytes, which takes a
    third of the time; with ``raw`` spans stay bytes as a whole. Raises ``MalformedPayload`` where the bytes are no such request, ``TooLarge`` beyond
    ``max_items``.
    """
    kind = _SIGNALS[signal]
    if len(body) <= _WHOLE:
        if len(body) > _COUNTED:
            _count(body, max_items)
        if accepted is not None:
            if raw and signal == "traces":
                parsed = _whole(MESSAGES["RawTraces"], RAW, body, kind, max_items)
            else:
                parsed = _whole(kind.light, LIGHT, body, kind, max_items)
            if parsed is not None and parsed.items == accepted:
                return parsed
        parsed = _whole(kind.request, PROTOBUF, body, kind, max_items)
        if parsed is not None:
            return parsed
    return _Salvage(kind, max_items).run(memoryview(body))


Plain = Callable[[list[bytes], list[bytes]], bool]
"""Whether all of these spans can become facts, and they and these attributes of their senders are plain; no where
it cannot tell at once."""


def plain_items(body: bytes, plain: Plain, *, max_items: int) -> int | None:
    """How many spans a traces request has, where all are plain; ``None`` where that is not told so quickly.

    Raises ``TooLarge`` beyond ``max_items``.
    """
    if len(body) > _COUNTED:
        return None
    parsed = _whole(MESSAGES["RawTraces"], RAW, body, _SIGNALS["traces"], max_items)
    if parsed is None:
        return None
    for group in parsed.groups:
        if not plain([], list(group.resource.attributes)):
            return None
        for scope in group.scopes:
            if not plain(list(scope.items), list(scope.scope.attributes)):
                return None
    return parsed.items


def _count(body: bytes, max_items: int) -> None:
    """Raise ``TooLarge`` where more items or groups are sent, without making any of them."""
    try:
        found = _COUNTED_REQUEST.FromString(body)
    except DecodeError:
        return  # which item is at fault is found out one by one
    check_count(len(found.resources), max_items)
    scopes = items = 0
    for resource in found.resources:
        scopes += len(resource.scopes)
        check_count(scopes, max_items)
        for scope in resource.scopes:
            items += len(scope.items)
            check_count(items, max_items)


def _whole(
    message: type[Message], dialect: Dialect, body: bytes, kind: _Signal, max_items: int
) -> Parsed | None:
    """The request parsed in one go, if it can be."""
    try:
        request = message.FromString(body)
    except DecodeError:
        return None
    groups, total = grouped(getattr(request, kind.resources), kind.scopes, kind.items, max_items=max_items)
    return Parsed(groups=groups, dialect=dialect, items=total, refused={})


def attributes(pairs: Iterable[Any], level: int = 0) -> Attributes:
    """Attributes as a dict; of a repeated key the last value is kept."""
    return {pair.key: pair.value.string_value or value(pair.value) for pair in pairs}


def value(any_value: Any, level: int = 0) -> Value:
    """One ``AnyValue``; unset, and a kind that is only defined for profiles, is ``None``."""
    kind = any_value.WhichOneof("value")
    if kind == "string_value":
        return any_value.string_value
    if kind == "int_value":
        return any_value.int_value
    if kind == "bool_value":
        return any_value.bool_value
    if kind == "double_value":
        return finite(any_value.double_value)
    if kind == "array_value":
        return [value(one) for one in any_value.array_value.values]
    if kind == "kvlist_value":
        return attributes(any_value.kvlist_value.values)
    if kind == "bytes_value":
        return any_value.bytes_value
    return None


def _data(item: Any) -> bytes:
    found: bytes = item.SerializeToString()
    return found


class _Pairs(dict[bytes, tuple[str, Value]]):
    """What the bytes of attributes mean, remembered: most come again and again."""

    def __missing__(self, raw: bytes) -> tuple[str, Value]:
        pair = KeyValue.FromString(raw)
        found: Value = pair.value.string_value or value(pair.value)
        made = (pair.key, found)
        if len(raw) <= _REMEMBERED and type(found) not in (list, dict):
            if len(self) >= _MAX_PAIRS:
                self.clear()
            self[raw] = made
        return made


_REMEMBERED: Final = 256  # bytes of one attribute
_MAX_PAIRS: Final = 16_384
_pair: Final = _Pairs().__getitem__


def _light_attributes(pairs: Iterable[bytes], level: int = 0) -> Attributes:
    return dict(map(_pair, pairs))


class _Tokens(dict[bytes, str]):
    """Under which tokens the bytes of attributes are found, remembered in the same way."""

    def __missing__(self, raw: bytes) -> str:
        made = attribute_tokens(*_pair(raw))
        if len(raw) <= _REMEMBERED and len(made) <= _LONGEST:
            if len(self) >= _MAX_PAIRS:
                self.clear()
            self[raw] = made
        return made


_LONGEST: Final = 1024  # characters of tokens that are remembered
_token: Final = _Tokens().__getitem__


def _light_tokens(pairs: Iterable[bytes]) -> str:
    return " ".join(map(_token, pairs))


PROTOBUF: Final = Dialect(attributes=attributes, value=value, data=_data)
LIGHT: Final = Dialect(attributes=_light_attributes, value=value, data=_data, tokens=_light_tokens)
RAW: Final = LIGHT._replace(raw=True, item=MESSAGES["Span"].FromString)


class _Salvage:
    """Cuts a request into items by its wire format and parses each alone."""

    def __init__(self, kind: _Signal, max_items: int) -> None:
        self._kind = kind
        self._max = max_items
        self._max_steps = 8 * max_items + 1_000  # one per item, and a few per group
        self._steps = 0
        self._items = 0
        self._refused: dict[int, BadItem] = {}

    def run(self, body: memoryview) -> Parsed:
        groups = []
        for number, resource in self._fields(body):
            if number == 1:
                groups.append(self._resource(resource))
                check_count(len(groups), self._max)
        return Parsed(groups=groups, dialect=PROTOBUF, items=self._items, refused=self._refused)

    def _resource(self, body: memoryview) -> ResourceGroup:
        parts, scopes, schema_url = [], [], ""
        for number, content in self._fields(body):
            if number == 1:
                parts.append(content)
            elif number == 2:
                scopes.append(content)
            elif number == 3:
                schema_url = _text(content)
        resource = _one(Resource, parts)
        return ResourceGroup(resource, schema_url, [self._scope(scope, resource) for scope in scopes])

    def _scope(self, body: memoryview, resource: Message | None) -> ScopeGroup:
        parts, found, schema_url = [], [], ""
        room = self._max - self._items
        for number, content in self._fields(body):
            if number == 1:
                parts.append(content)
            elif number == 2:
                found.append(content)
                if len(found) == _MANY and len(body) <= _COUNTABLE:
                    self._count(body)
                if len(found) > room:
                    check_count(self._items + len(found), self._max)
            elif number == 3:
                schema_url = _text(content)
        scope = _one(InstrumentationScope, parts)
        usable = resource is not None and scope is not None
        return ScopeGroup(scope, schema_url, [self._item(content, usable) for content in found])

    def _count(self, scope: memoryview) -> None:
        try:
            items = len(_COUNTED_SCOPE.FromString(bytes(scope)).items)
        except DecodeError:
            return  # it is walked through to where it breaks
        check_count(self._items + items, self._max)

    def _item(self, content: memoryview, usable: bool) -> Message | None:
        position = self._items
        self._items += 1
        noun = self._kind.noun
        if not usable:
            verdict = ("bad_resource", f"the resource or scope of this {noun} cannot be decoded")
        elif len(content) > MAX_ITEM_BYTES:
            verdict = (
                "too_large",
                f"this {noun} is larger than {MAX_ITEM_BYTES} bytes; shorten its attributes",
            )
        else:
            try:
                return self._kind.item.FromString(bytes(content))
            except DecodeError as error:
                verdict = _why(noun, error)
        self._refused[position] = refuse(position, verdict, bytes(content[:MAX_ITEM_BYTES]))
        return None

    def _fields(self, body: memoryview) -> Iterator[tuple[int, memoryview]]:
        """Number and content of each length-delimited field; other wire types are skipped."""
        at, end = 0, len(body)
        while at < end:
            self._steps += 1
            if self._steps > self._max_steps:
                check_count(self._steps, self._max_steps)
            tag = body[at]
            if tag < 0x80:  # as nearly every tag: a call for each is what a bomb would be made of
                at += 1
            else:
                tag, at = _varint(body, at)
            kind = tag & 7
            if kind == 2:
                size = body[at] if at < end else 0x80
                if size < 0x80:
                    at += 1
                else:
                    size, at = _varint(body, at)
                if size > end - at:
                    raise MalformedPayload("a field is longer than the body", remedy=_REMEDY)
                yield tag >> 3, body[at : at + size]
                at += size
            elif kind == 0:
                _, at = _varint(body, at)
            elif kind in (1, 5):
                at += 8 if kind == 1 else 4
            else:
                raise MalformedPayload("the body is not protobuf", remedy=_REMEDY)
        if at != end:
            raise MalformedPayload("the body ends inside a field", remedy=_REMEDY)


def _why(noun: str, error: DecodeError) -> tuple[str, str]:
    if "depth" in str(error).lower():
        return "too_deep", too_deep(noun)
    return "undecodable", f"this {noun} cannot be decoded ({error}); check that its text is valid UTF-8"


def _one(kind: type[Message], parts: list[memoryview]) -> Message | None:
    """A message that may come in parts, which merge; ``None`` where it does not decode."""
    try:
        return kind.FromString(b"".join(parts))
    except DecodeError:
        return None


def _text(content: memoryview) -> str:
    return bytes(content).decode("utf-8", "replace")


def _varint(body: memoryview, at: int) -> tuple[int, int]:
    result = shift = 0
    while shift < 64 and at < len(body):
        byte = body[at]
        result |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return result, at
        shift += 7
    raise MalformedPayload("the body is not protobuf", remedy=_REMEDY)
