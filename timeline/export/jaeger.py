"""Spans in the JSON of Jaeger's query service, as its page and Grafana read it.

Times and lengths are integer microseconds, as there; the nanoseconds go along as the tags
``throughline.start_ns`` and ``throughline.end_ns``, so that nothing is lost on the way.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from timeline.domain import Annotation, Attributes, Event, Span, Stored, Value
from timeline.export.peers import notes_of, server_halves
from timeline.export.values import Json, number, text, value_json

_US = 1_000  # ns


def traces_json(traces: Iterable[Sequence[Stored]]) -> list[Json]:
    """One trace each, out of all its facts; a trace without a span is left out."""
    return [trace_json(facts) for facts in traces if any(isinstance(one.fact, Span) for one in facts)]


def trace_json(facts: Sequence[Stored]) -> Json:
    """A trace: its spans, events as logs of the spans they name, and a process for each service instance."""
    spans = [one for one in facts if isinstance(one.fact, Span) and not one.receipt.variant]
    notes = notes_of(facts)
    halves = server_halves([one.fact for one in spans if isinstance(one.fact, Span)])
    inside = {  # what a server told under its client's id gets one of its own, for that is how they are read
        (one.fact.ref.span_id, one.fact.service): _own_id(one.fact.ref.span_id)
        for one in spans
        if isinstance(one.fact, Span) and id(one.fact) in halves
    }
    processes: dict[str, Json] = {}
    names: dict[str, str] = {}
    shown = []
    for one in spans:
        process = _process(one)
        mark = orjson.dumps(process).decode()
        name = names.setdefault(mark, f"p{len(names) + 1}")
        processes[name] = process
        tree = _span(one, name, notes)
        _placed(tree, one.fact.service, inside, half=id(one.fact) in halves)
        shown.append(tree)
    return {
        "traceID": spans[0].fact.ref.trace_id if spans and spans[0].fact.ref else "",
        "spans": shown,
        "processes": processes,
        "warnings": None,
    }


def _own_id(span_id: str) -> str:
    return blake2b(span_id.encode(), digest_size=8, person=b"server half").hexdigest()


def _placed(tree: Json, service: str, inside: dict[tuple[str, str], str], *, half: bool) -> None:
    """Under which id a span stands, and whose child it is, where a server and a client told one span."""
    if half:
        parent = {"refType": "CHILD_OF", "traceID": tree["traceID"], "spanID": tree["spanID"]}
        followed = [reference for reference in tree["references"] if reference["refType"] != "CHILD_OF"]
        tree["references"], tree["spanID"] = [parent, *followed], inside[tree["spanID"], service]
        return
    for reference in tree["references"]:
        if reference["refType"] == "CHILD_OF":
            reference["spanID"] = inside.get((reference["spanID"], service), reference["spanID"])


def _process(stored: Stored) -> Json:
    fact = stored.fact
    rest = {key: value for key, value in fact.resource.items() if key != "service.name"}
    return {"serviceName": text(fact.service) or "(unnamed)", "tags": _tags(rest)}


def _span(stored: Stored, process: str, notes: dict[str, list[Event]]) -> Json:
    span = stored.fact
    assert isinstance(span, Span)  # noqa: S101 - what it is called with
    start = stored.receipt.received if span.start is None else span.start
    end = start if span.end is None else max(span.end, start)
    warnings = []
    if span.start is None:
        warnings.append("its sender gave no start: this is when it was received")
    if span.end is None:
        warnings.append("its sender gave no end")
    parent = (
        [{"refType": "CHILD_OF", "traceID": span.ref.trace_id, "spanID": span.parent}] if span.parent else []
    )
    links = [
        {"refType": "FOLLOWS_FROM", "traceID": link.ref.trace_id, "spanID": link.ref.span_id}
        for link in span.links
    ]
    return {
        "traceID": span.ref.trace_id,
        "spanID": span.ref.span_id,
        "flags": span.flags & 1,
        "operationName": text(span.name),
        "references": parent + links,
        "startTime": start // _US,
        "duration": end // _US - start // _US,
        "tags": _tags({**span.attributes, **_said(span)}),
        "logs": [_log(note) for note in span.annotations]
        + [_event(event, stored) for event in notes.get(span.ref.span_id, ())],
        "processID": process,
        "warnings": warnings or None,
    }


def _said(span: Span) -> Attributes:
    """What OpenTelemetry has fields for and Jaeger tags."""
    said: Attributes = {
        name: None if at is None else str(at)  # its readers keep doubles
        for name, at in (("throughline.start_ns", span.start), ("throughline.end_ns", span.end))
    }
    if span.kind != "unspecified":
        said["span.kind"] = span.kind
    if span.status != "unset":
        said["otel.status_code"] = span.status.upper()
    if span.status == "error":
        said["error"] = True
    said["otel.status_description"] = span.status_message or None
    said["otel.scope.name"], said["otel.scope.version"] = span.scope.name or None, span.scope.version or None
    said["w3c.tracestate"] = span.trace_state or None
    return {key: value for key, value in said.items() if value is not None}


def _log(note: Annotation) -> Json:
    return {"timestamp": (note.at or 0) // _US, "fields": [_tag("event", note.name), *_tags(note.attributes)]}


def _event(event: Event, span: Stored) -> Json:
    at = event.at if event.at is not None else event.observed
    kept = {"event": event.name, "severity": event.severity or None}
    fields = _tags({key: value for key, value in kept.items() if value is not None} | event.attributes)
    if event.body is not None:
        fields.append(_tag("message", event.body))
    return {"timestamp": (span.receipt.received if at is None else at) // _US, "fields": fields}


def _tags(attributes: Attributes) -> list[Json]:
    return [_tag(key, value) for key, value in attributes.items()]


def _tag(key: str, value: Value) -> Json:
    kind, shown = _typed(value)
    return {"key": text(key), "type": kind, "value": shown}


def _typed(value: Value) -> tuple[str, Any]:
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int):
        return "int64", number(value)
    if isinstance(value, float):
        shown = value_json(value)
        return ("float64", shown) if isinstance(shown, float) else ("string", shown["double"])
    if isinstance(value, bytes):
        return "binary", base64.b64encode(value).decode()
    if isinstance(value, str):
        return "string", text(value)
    return "string", orjson.dumps(value_json(value)).decode()
