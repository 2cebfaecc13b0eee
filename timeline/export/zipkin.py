"""Spans in the JSON of Zipkin's v2 API.

Times and lengths are integer microseconds; a length under one is one, as Zipkin rounds it. The
nanoseconds go along as the tags ``throughline.start_ns`` and ``throughline.end_ns``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

import orjson

from timeline.domain import Attributes, Event, Span, Stored, Value
from timeline.export.peers import notes_of, server_halves
from timeline.export.values import Json, text, value_json

_US = 1_000  # ns
_KINDS = {"server": "SERVER", "client": "CLIENT", "producer": "PRODUCER", "consumer": "CONSUMER"}


def traces_json(traces: Iterable[Sequence[Stored]]) -> list[list[Json]]:
    """The spans of each trace; a trace without a span is left out."""
    return [spans for spans in map(trace_json, traces) if spans]


def trace_json(facts: Sequence[Stored]) -> list[Json]:
    """The spans of a trace, events as annotations of the spans that they name."""
    notes = notes_of(facts)
    spans = [one.fact for one in facts if isinstance(one.fact, Span) and not one.receipt.variant]
    halves = server_halves(spans)
    return [{**_span(span, notes), **({"shared": True} if id(span) in halves else {})} for span in spans]


def _span(span: Span, notes: dict[str, list[Event]]) -> Json:
    shown: Json = {"traceId": span.ref.trace_id, "id": span.ref.span_id, "name": text(span.name)}
    if span.parent:
        shown["parentId"] = span.parent
    if span.kind in _KINDS:
        shown["kind"] = _KINDS[span.kind]
    if span.start is not None:
        shown["timestamp"] = span.start // _US
        if span.end is not None:
            shown["duration"] = max(span.end // _US - span.start // _US, 1)
    shown["localEndpoint"] = {"serviceName": text(span.service)} if span.service else {}
    remote = _remote(span.attributes)
    if remote:
        shown["remoteEndpoint"] = remote
    annotations = [
        {"timestamp": note.at // _US, "value": text(note.name)} for note in span.annotations if note.at
    ]
    annotations += [
        {"timestamp": event.at // _US, "value": text(event.name)}
        for event in notes.get(span.ref.span_id, ())
        if event.at
    ]
    if annotations:
        shown["annotations"] = sorted(annotations, key=lambda note: note["timestamp"])
    shown["tags"] = {text(key): _string(value) for key, value in {**span.attributes, **_said(span)}.items()}
    return shown


def _said(span: Span) -> Attributes:
    """What OpenTelemetry has fields for and Zipkin tags."""
    said: Attributes = {"throughline.start_ns": span.start, "throughline.end_ns": span.end}
    if span.status != "unset":
        said["otel.status_code"] = span.status.upper()
    if span.status == "error":
        said["error"] = span.status_message or "true"
    said["otel.scope.name"], said["otel.scope.version"] = span.scope.name or None, span.scope.version or None
    return {key: value for key, value in said.items() if value is not None}


def _remote(attributes: Attributes) -> Json:
    """The other side, as far as it is named."""
    found: Json = {}
    if name := attributes.get("peer.service"):
        found["serviceName"] = text(str(name))
    for key in ("network.peer.address", "server.address"):
        try:
            address = ipaddress.ip_address(str(attributes.get(key, "")))
        except ValueError:
            continue
        found["ipv4" if address.version == 4 else "ipv6"] = str(address)
        port = attributes.get(key.replace("address", "port"))
        if isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536:
            found["port"] = port
        break
    return found


def _string(value: Value) -> str:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return orjson.dumps(value_json(value)).decode()
