"""Jaeger's query API, as its page and Grafana's Jaeger data source ask it (``/api/services``, ``/api/traces``)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import orjson
from django.http import HttpRequest
from django.urls import path

from timeline.errors import BadQuery
from timeline.export.jaeger import traces_json
from timeline.reading.traces import MOST_TRACES, SPANS, Traces
from timeline.search.query import And, AttributeIs, FieldBetween, FieldIs, Node, Not, Window
from timeline.search.times import parse_duration
from timeline.web.peers.asking import US, answering, looked_back, trace_id, whole

_LOOKBACK = 2 * 86400 * 10**9  # ns
_LIMIT = 100
_KINDS = ("internal", "server", "client", "producer", "consumer")


def _body(data: Any, total: int | None = None) -> dict[str, Any]:
    count = len(data or ()) if total is None else total
    return {"data": data, "total": count, "limit": 0, "offset": 0, "errors": None}


def _failed(status: int, sentence: str) -> dict[str, Any]:
    return {**_body(None), "errors": [{"code": status, "msg": sentence}]}


@answering(_failed)
def services(traces: Traces, request: HttpRequest) -> Any:
    """Every service that sent a span."""
    return _body(traces.names("service"))


@answering(_failed)
def service_operations(traces: Traces, request: HttpRequest, service: str) -> Any:
    """The span names of a service."""
    return _body(traces.names("name", And((SPANS, FieldIs("service", service)))))


@answering(_failed)
def operations(traces: Traces, request: HttpRequest) -> Any:
    """The span names of a service with their kinds; ``spanKind`` asks for one kind."""
    service, asked = request.GET.get("service", ""), request.GET.get("spanKind", "")
    if not service:
        raise BadQuery("service is not given", remedy="name it as service=")
    if asked and asked not in _KINDS:
        raise BadQuery(f"spanKind is {asked[:40]!r}", remedy=f"it is one of {', '.join(_KINDS)}")
    of_service = (SPANS, FieldIs("service", service))
    return _body(
        [
            {"name": name, "spanKind": "" if kind == "unspecified" else kind}
            for kind in ([asked] if asked else (*_KINDS, "unspecified"))
            for name in traces.names("name", And((*of_service, FieldIs("span_kind", kind))))
        ]
    )


@answering(_failed)
def search(traces: Traces, request: HttpRequest) -> Any:
    """Whole traces by ``traceID`` (repeated), or that have a span of a service, operation, tags and length."""
    named = request.GET.getlist("traceID")
    if named:
        return _body(traces_json(traces.whole([trace_id(one) for one in named])))
    service = request.GET.get("service", "")
    if not service:
        raise BadQuery("neither service nor traceID is given", remedy="name a service as service=")
    limit = whole(request, "limit", _LIMIT, most=MOST_TRACES)
    found = traces.find(And((FieldIs("service", service), *_conditions(request))), _window(request), limit)
    return _body(traces_json(found))


@answering(_failed)
def trace(traces: Traces, request: HttpRequest, named: str) -> Any:
    """One trace, whole; 404 where nothing of it was seen."""
    found = traces_json(traces.whole([trace_id(named)]))
    return _body(found) if found else None


@answering(_failed)
def dependencies(traces: Traces, request: HttpRequest) -> Any:
    """Which service calls or feeds which, among the newest spans up to ``endTs`` (ms)."""
    calls = traces.calls(looked_back(request))
    return _body([{"parent": each.parent, "child": each.child, "callCount": each.count} for each in calls])


def _window(request: HttpRequest) -> Window:
    """``start`` and ``end`` (us); where there is no start, ``lookback`` such as ``1h``."""
    end = whole(request, "end", time.time_ns(), unit=US)
    lookback = request.GET.get("lookback", "")
    length = _LOOKBACK if lookback in ("", "custom") else parse_duration(lookback)
    return Window(start=whole(request, "start", max(end - length, 0), unit=US), end=end + 1)


def _conditions(request: HttpRequest) -> Iterable[Node]:
    if operation := request.GET.get("operation", ""):
        yield FieldIs("name", operation)
    least, most = (request.GET.get(name, "") for name in ("minDuration", "maxDuration"))
    if least or most:
        yield FieldBetween(
            "duration", parse_duration(least) if least else None, parse_duration(most) if most else None
        )
    for key, value in _tags(request):
        if key == "error":
            if value not in ("true", "false"):
                raise BadQuery(f"error is {value[:40]!r}", remedy="it is true or false")
            failed = FieldIs("status", "error")
            yield failed if value == "true" else Not(failed)
        elif key == "span.kind":
            yield FieldIs("span_kind", value)
        else:
            yield AttributeIs(key, value)


def _tags(request: HttpRequest) -> Iterable[tuple[str, str]]:
    """``tags`` as a JSON object, and ``tag`` as ``key:value``, both repeated."""
    for written in request.GET.getlist("tags"):
        try:
            tags = orjson.loads(written)
        except orjson.JSONDecodeError:
            tags = None
        if not isinstance(tags, dict):
            raise BadQuery("tags is not a JSON object", remedy='write tags={"key":"value"}')
        yield from (
            (key, value if isinstance(value, str) else orjson.dumps(value).decode())
            for key, value in tags.items()
        )
    for written in request.GET.getlist("tag"):
        key, colon, value = written.partition(":")
        if not key or not colon:
            raise BadQuery(f"tag is {written[:40]!r}", remedy="write tag=key:value")
        yield key, value


urlpatterns = [
    path("api/services", services),
    path("api/services/<str:service>/operations", service_operations),
    path("api/operations", operations),
    path("api/traces", search),
    path("api/traces/<str:named>", trace),
    path("api/dependencies", dependencies),
]
