"""Zipkin v2 JSON (zipkin-api 1.0, ``ListOfSpans``) to the same parsed groups as OTLP JSON.

Tags become attributes, endpoints the semantic conventions' names for them, microseconds
nanoseconds. A time that was left out stays out. The half that a server adds to its client's
span (``shared``) keeps their common id: identity tells the two apart, rebuilding joins them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from timeline.errors import MalformedPayload
from timeline.ingest.otlp_json import JSON
from timeline.ingest.otlp_messages import (
    AnyValue,
    InstrumentationScope,
    KeyValue,
    Resource,
    Span,
    SpanEvent,
    SpanStatus,
)
from timeline.ingest.parsed import MAX_PARTS, Parsed, ResourceGroup, ScopeGroup, check_count, refuse
from timeline.ingest.request import BadItem
from timeline.ingest.values import loads

_US: Final = 1_000  # ns
_LATEST: Final = (1 << 63) // _US
_KINDS: Final = {"SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
_REMEDY: Final = "send a JSON list of Zipkin v2 spans"
# tags by which Brave's instrumentation names where a message went
_DESTINATIONS: Final = {
    "kafka.topic": "kafka",
    "jms.queue": "jms",
    "jms.topic": "jms",
    "rabbit.queue": "rabbitmq",
    "rabbit.exchange": "rabbitmq",
}
_STATUS: Final = {"OK": 1, "ERROR": 2}


class _BadSpanError(ValueError):
    """Reason and sentence of an item that can be no span."""


def parse(body: bytes, *, max_items: int) -> Parsed:
    """The spans of a request, in order; raises ``MalformedPayload`` or ``TooLarge`` as the other parsers do."""
    spans = loads(body, check=lambda found: _check(found, max_items))
    refused: dict[int, BadItem] = {}
    groups: list[ResourceGroup] = []
    items: list[Any] = []
    last: tuple[str, str] | None = None
    for position, tree in enumerate(spans):
        try:
            found, maker = _span(tree)
        except _BadSpanError as bad:
            refused[position] = refuse(position, bad.args, msgspec.json.encode(tree))
            found, maker = None, last or ("", "")
        if maker != last:
            items, last = [], maker
            groups.append(_group(maker, items))
        items.append(found)
    return Parsed(groups=groups, dialect=JSON, items=len(spans), refused=refused)


def _check(found: Any, max_items: int) -> None:
    if not isinstance(found, list):
        raise MalformedPayload("the body is no list", remedy=_REMEDY)
    check_count(len(found), max_items)


def _group(maker: tuple[str, str], items: list[Any]) -> ResourceGroup:
    service, scope = maker
    resource = Resource(attributes=[_pair("service.name", service)] if service else [])
    return ResourceGroup(resource, "", [ScopeGroup(InstrumentationScope(name=scope), "", items)])


def _span(tree: Any) -> tuple[Span, tuple[str, str]]:
    """A span, and the service and scope it is of; raises ``_BadSpanError``."""
    if not isinstance(tree, dict):
        raise _BadSpanError("undecodable", "a span is an object")
    trace_id, span_id = _id(tree, "traceId", 32), _id(tree, "id", 16)
    parent = _id(tree, "parentId", 16) if tree.get("parentId") else b""
    tags = _tags(tree)
    local, remote = _endpoint(tree, "localEndpoint"), _endpoint(tree, "remoteEndpoint")
    kind = tree.get("kind")
    start, took = _micros(tree, "timestamp"), _micros(tree, "duration")
    span = Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent,
        name=_text(tree.get("name")),
        kind=_KINDS.get(kind, 0) if isinstance(kind, str) else 1 if kind is None else 0,
        flags=1 if tree.get("debug") is True else 0,
        trace_state=tags.pop("w3c.tracestate", ""),
        start_time_unix_nano=start * _US,
        end_time_unix_nano=(start + took) * _US if start and "duration" in tree else 0,
        attributes=[
            _pair(key, value) for key, value in {**_places(local, remote), **_sent_to(tags), **tags}.items()
        ],
        events=_annotations(tree),
        status=_status(tags),
    )
    scope = tags.get("otel.scope.name") or tags.get("otel.library.name") or ""
    return span, (_text(local.get("serviceName")), scope)


def _id(tree: dict[str, Any], key: str, digits: int) -> bytes:
    """An id of up to so many hex digits, the rest zeros before it."""
    written = tree.get(key)
    reason = {"traceId": "bad_trace_id", "id": "bad_span_id", "parentId": "bad_parent_id"}[key]
    if not isinstance(written, str) or not 0 < len(written) <= digits or not written.isalnum():
        raise _BadSpanError(reason, f"{key} is text of up to {digits} hexadecimal digits")
    try:
        return bytes.fromhex(written.zfill(digits))
    except ValueError:
        raise _BadSpanError(reason, f"{key} is text of up to {digits} hexadecimal digits") from None


def _micros(tree: dict[str, Any], key: str) -> int:
    """Whole microseconds; 0 where there are none."""
    written = tree.get(key)
    if isinstance(written, str) and written.isascii() and written.isdecimal() and len(written) < 20:
        written = int(written)
    if written is None or isinstance(written, bool):
        return 0
    if not isinstance(written, int | float) or not 0 <= written < _LATEST:
        raise _BadSpanError("bad_number", f"{key} is a count of microseconds")
    return int(written)


def _tags(tree: dict[str, Any]) -> dict[str, str]:
    found = tree.get("tags")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _BadSpanError("undecodable", "tags is an object")
    return {key: _text(value) for key, value in found.items()}


def _text(found: Any) -> str:
    if found is None:
        return ""
    return found if isinstance(found, str) else msgspec.json.encode(found).decode()


def _endpoint(tree: dict[str, Any], key: str) -> dict[str, Any]:
    found = tree.get(key)
    if found is not None and not isinstance(found, dict):
        raise _BadSpanError("undecodable", f"{key} is an object")
    return found or {}


def _places(local: dict[str, Any], remote: dict[str, Any]) -> dict[str, str | int]:
    """Both ends, by the names of the semantic conventions."""
    found: dict[str, str | int] = {}
    if remote.get("serviceName"):
        found["peer.service"] = _text(remote["serviceName"])
    for end, name in ((local, "network.local"), (remote, "network.peer")):
        address = end.get("ipv4") or end.get("ipv6")
        if address:
            found[f"{name}.address"] = _text(address)
        port = end.get("port")
        if isinstance(port, int) and 0 < port < 65536:
            found[f"{name}.port"] = port
    return found


def _sent_to(tags: dict[str, str]) -> dict[str, str]:
    """The destination of a message, where a tag of Brave's names it."""
    for tag, system in _DESTINATIONS.items():
        if tags.get(tag) and "messaging.destination.name" not in tags:
            return {"messaging.system": system, "messaging.destination.name": tags[tag]}
    return {}


def _annotations(tree: dict[str, Any]) -> list[SpanEvent]:
    found = tree.get("annotations")
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(note, dict) for note in found):
        raise _BadSpanError("undecodable", "annotations is a list of objects")
    if len(found) > MAX_PARTS:
        raise _BadSpanError("too_many_parts", f"a span may hold {MAX_PARTS} annotations")
    return [
        SpanEvent(time_unix_nano=_micros(note, "timestamp") * _US, name=_text(note.get("value")))
        for note in found
    ]


def _status(tags: dict[str, str]) -> SpanStatus:
    """A tag named error is a failure, whatever it holds; its text says why."""
    if "error" in tags:
        said = tags["error"]
        return SpanStatus(code=2, message="" if said in ("true", "") else said)
    return SpanStatus(code=_STATUS.get(tags.get("otel.status_code", ""), 0))


def _pair(key: str, value: str | int) -> KeyValue:
    held = AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
    return KeyValue(key=key, value=held)
