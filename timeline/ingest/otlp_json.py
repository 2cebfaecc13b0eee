"""OTLP JSON (opentelemetry-proto 1.11, "JSON Protobuf Encoding") to parsed groups.

``otlp_messages`` has the typed structs. Where a request does not decode as a whole, it is
read more tolerantly and each item is judged alone.
"""

from __future__ import annotations

import math
from base64 import b64decode
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from timeline.domain import Attributes, Value
from timeline.errors import MalformedPayload
from timeline.ingest.otlp_messages import (
    AnyValue,
    InstrumentationScope,
    Json,
    KeyValue,
    LogRecord,
    Logs,
    Resource,
    Span,
    Traces,
)
from timeline.ingest.parsed import (
    MAX_LEVELS,
    Dialect,
    NestingError,
    Parsed,
    ResourceGroup,
    ScopeGroup,
    check_count,
    grouped,
    refuse,
)
from timeline.ingest.request import BadItem
from timeline.ingest.values import bounded, finite, loads, whole

_IDS: Final = frozenset(("traceId", "spanId", "parentSpanId"))
_JSON_DEPTH: Final = 400  # a nested map takes four JSON levels for three messages
_REMEDY: Final = "send OTLP JSON: an object with resourceSpans or resourceLogs"


class _Signal(msgspec.Struct, frozen=True):
    decode: msgspec.json.Decoder[Any]
    item: type[Json]
    resources: str
    scopes: str
    items: str
    noun: str


_SIGNALS: Final = {
    "traces": _Signal(msgspec.json.Decoder(Traces), Span, "resource_spans", "scope_spans", "spans", "span"),
    "logs": _Signal(
        msgspec.json.Decoder(Logs), LogRecord, "resource_logs", "scope_logs", "log_records", "log record"
    ),
}


def parse(body: bytes, signal: str, *, max_items: int) -> Parsed:
    """The groups of a traces or logs request in JSON.

    Raises ``MalformedPayload`` where it is no such request, ``TooLarge`` beyond
    ``max_items`` or for nesting that no encoding carries.
    """
    kind = _SIGNALS[signal]
    bounded(body)
    try:
        request = kind.decode.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Salvage(kind, max_items).run(loads(body, max_depth=_JSON_DEPTH))
    groups, total = grouped(
        getattr(request, kind.resources) or (), kind.scopes, kind.items, max_items=max_items
    )
    return Parsed(groups=groups, dialect=JSON, items=total, refused={})


def attributes(pairs: Iterable[KeyValue] | None, level: int) -> Attributes:
    """Attributes as a dict; ``level`` is the message level of their ``KeyValue``."""
    return {pair.key or "": value(pair.value, level + 1) for pair in pairs or ()}


def value(found: AnyValue | None, level: int) -> Value:
    """One value; raises ``NestingError`` where protobuf could not carry it, ``ValueError`` for no value."""
    if level > MAX_LEVELS:
        raise NestingError
    if found is None:
        return None
    if found.string_value is not None:
        return found.string_value
    if found.int_value is not None:
        return _int64(found.int_value)
    if found.bool_value is not None:
        return found.bool_value
    if found.double_value is not None:
        return finite(float(found.double_value))
    if found.array_value is not None:
        if level + 1 > MAX_LEVELS:
            raise NestingError
        return [value(one, level + 2) for one in found.array_value.values or ()]
    if found.kvlist_value is not None:
        if level + 1 > MAX_LEVELS:
            raise NestingError
        return attributes(found.kvlist_value.values, level + 2)
    if found.bytes_value is not None:
        return _base64(found.bytes_value)
    return None


def tree(part: Any) -> Any:
    """A message, or a part of one, as its sender would write it: ids in hex, not in the base64 of other bytes."""
    return _hex(msgspec.to_builtins(part, builtin_types=(bytes,)))


def _hex(found: Any) -> Any:
    if isinstance(found, dict):
        return {
            key: value.hex() if key in _IDS and isinstance(value, bytes) else _hex(value)
            for key, value in found.items()
        }
    return [_hex(one) for one in found] if isinstance(found, list) else found


def _data(item: Any) -> bytes:
    return msgspec.json.encode(tree(item))


JSON: Final = Dialect(attributes=attributes, value=value, data=_data)


def _int64(found: int | float | str) -> int | str:
    """A signed integer; one beyond 64 bits is kept as its digits."""
    if isinstance(found, str):
        digits = found.strip()
        if digits.removeprefix("-").isdecimal() and digits.isascii():
            return whole(int(digits)) if len(digits) <= 20 else digits
        found = float(found)
    if isinstance(found, float) and not (math.isfinite(found) and found.is_integer()):
        raise ValueError("bad_number")
    return whole(int(found))


def _base64(found: str) -> bytes:
    plain = found.replace("-", "+").replace("_", "/").rstrip("=")
    return b64decode(plain + "=" * (-len(plain) % 4), validate=True)


class _Salvage:
    """Judges each item alone where the typed whole did not decode."""

    def __init__(self, kind: _Signal, max_items: int) -> None:
        self._kind = kind
        self._max = max_items
        self._items = 0
        self._refused: dict[int, BadItem] = {}

    def run(self, tree: Any) -> Parsed:
        resources = _list(tree, self._kind.resources)
        check_count(len(resources), self._max)
        groups = [self._resource(resource) for resource in resources]
        return Parsed(groups=groups, dialect=JSON, items=self._items, refused=self._refused)

    def _resource(self, tree: Any) -> ResourceGroup:
        scopes = _list(tree, self._kind.scopes)
        check_count(len(scopes), self._max)
        resource = _converted(tree.get("resource"), Resource)
        return ResourceGroup(resource, _url(tree), [self._scope(scope, resource) for scope in scopes])

    def _scope(self, tree: Any, resource: Any) -> ScopeGroup:
        items = _list(tree, self._kind.items)
        check_count(self._items + len(items), self._max)
        scope = _converted(tree.get("scope"), InstrumentationScope)
        usable = resource is not None and scope is not None
        return ScopeGroup(scope, _url(tree), [self._item(item, usable) for item in items])

    def _item(self, tree: Any, usable: bool) -> Any:
        position = self._items
        self._items += 1
        noun = self._kind.noun
        if not usable:
            verdict = ("bad_resource", f"the resource or scope of this {noun} cannot be decoded")
        else:
            try:
                return msgspec.convert(tree, self._kind.item)
            except msgspec.ValidationError as error:
                first = str(error).split(" ", 1)[0]
                reason = first if first.startswith("bad_") else "undecodable"
                verdict = (reason, f"this {noun} does not follow OTLP JSON: {error}")
        self._refused[position] = refuse(position, verdict, msgspec.json.encode(tree))
        return None


def _list(tree: Any, name: str) -> list[Any]:
    head, *rest = name.split("_")
    key = head + "".join(part.title() for part in rest)
    found = tree.get(key) if isinstance(tree, dict) else tree
    if isinstance(tree, dict) and found is None:
        return []
    if not isinstance(tree, dict) or not isinstance(found, list):
        raise MalformedPayload(f"{key} is not where OTLP JSON has it", remedy=_REMEDY)
    return found


def _url(tree: dict[str, Any]) -> str:
    found = tree.get("schemaUrl")
    return found if isinstance(found, str) else ""


def _converted(tree: Any, kind: type[Json]) -> Any:
    """The message, an empty one where there is none, ``None`` where it does not convert."""
    try:
        return kind() if tree is None else msgspec.convert(tree, kind)
    except msgspec.ValidationError:
        return None
