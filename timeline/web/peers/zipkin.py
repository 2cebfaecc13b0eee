"""Zipkin's v2 API for reading, as its page and Grafana's Zipkin data source ask it (``/api/v2``)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.urls import path

from timeline.errors import BadQuery
from timeline.export.zipkin import trace_json, traces_json
from timeline.reading.traces import MOST_TRACES, SPANS, Traces
from timeline.search.query import (
    And,
    AttributeExists,
    AttributeIs,
    FieldBetween,
    FieldIs,
    Node,
    Or,
    Words,
)
from timeline.search.words import words
from timeline.web.peers.asking import MS, US, answering, looked_back, trace_id, whole

_LIMIT = 10


def _failed(status: int, sentence: str) -> dict[str, Any]:
    return {"status": status, "error": sentence}


@answering(_failed)
def services(traces: Traces, request: HttpRequest) -> Any:
    """Every service that sent a span."""
    return traces.names("service")


@answering(_failed)
def span_names(traces: Traces, request: HttpRequest) -> Any:
    """The span names of ``serviceName``."""
    return traces.names("name", And((SPANS, FieldIs("service", _service(request)))))


@answering(_failed)
def remote_services(traces: Traces, request: HttpRequest) -> Any:
    """The services that spans of ``serviceName`` name as their other side."""
    return traces.names("peer.service", And((SPANS, FieldIs("service", _service(request)))))


@answering(_failed)
def search(traces: Traces, request: HttpRequest) -> Any:
    """Whole traces that have a span of a service, name, annotations and length."""
    window = looked_back(request, beyond=MS)
    limit = whole(request, "limit", _LIMIT, most=MOST_TRACES)
    return traces_json(traces.find(And(tuple(_conditions(request))), window, limit))


@answering(_failed)
def trace(traces: Traces, request: HttpRequest, named: str) -> Any:
    """The spans of one trace; 404 where nothing of it was seen."""
    found = traces.whole([trace_id(named)])
    return (trace_json(found[0]) or None) if found else None


@answering(_failed)
def trace_many(traces: Traces, request: HttpRequest) -> Any:
    """The spans of several traces, ``traceIds`` with commas between."""
    return traces_json(traces.whole([trace_id(one) for one in request.GET.get("traceIds", "").split(",")]))


@answering(_failed)
def dependencies(traces: Traces, request: HttpRequest) -> Any:
    """Which service calls or feeds which, among the newest spans up to ``endTs`` (ms)."""
    calls = traces.calls(looked_back(request))
    return [
        {"parent": each.parent, "child": each.child, "callCount": each.count, "errorCount": each.errors}
        for each in calls
    ]


def _service(request: HttpRequest) -> str:
    name = request.GET.get("serviceName", "")
    if not name:
        raise BadQuery("serviceName is not given", remedy="name it as serviceName=")
    return name


def _conditions(request: HttpRequest) -> Iterable[Node]:
    for parameter, field in (("serviceName", "service"), ("spanName", "name")):
        value = request.GET.get(parameter, "")
        if value and value != "all":
            yield FieldIs(field, value)
    if remote := request.GET.get("remoteServiceName", ""):
        yield AttributeIs("peer.service", remote)
    least, most = (whole(request, name, 0, unit=US) for name in ("minDuration", "maxDuration"))
    if least or most:
        yield FieldBetween("duration", least or None, most or None)
    for part in re.split(r"\s+and\s+", request.GET.get("annotationQuery", "").strip()):
        if part:
            yield _annotation(part)


def _annotation(part: str) -> Node:
    """``key=value`` asks for a tag, a word alone for a tag of that name or an annotation that says it."""
    key, equals, value = part.partition("=")
    if equals:
        return AttributeIs(key, value)
    if key == "error":
        return FieldIs("status", "error")
    said = tuple(words(key))
    return Or((AttributeExists(key), Words(said, phrase=True))) if said else AttributeExists(key)


urlpatterns = [
    path("api/v2/services", services),
    path("api/v2/spans", span_names),
    path("api/v2/remoteServices", remote_services),
    path("api/v2/traces", search),
    path("api/v2/trace/<str:named>", trace),
    path("api/v2/traceMany", trace_many),
    path("api/v2/dependencies", dependencies),
]
