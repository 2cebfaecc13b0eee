"""The HTTP API (``/api/v1``): stable, described at ``/api/openapi.json``.

A read token (``Authorization: Bearer``) or a session asks; errors are problem+json.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
import orjson
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Query, Schema
from ninja.errors import AuthenticationError, ValidationError
from ninja.security import APIKeyCookie, HttpBearer
from pydantic import Field

from timeline import keys, markers, wiring
from timeline.errors import BadQuery, ThroughlineError
from timeline.export import json as shapes
from timeline.export.accounting import accounting_json
from timeline.export.cohorts import cohort_json
from timeline.export.values import moment
from timeline.ingest.markers import KINDS as MARKER_KINDS
from timeline.ingest.markers import MOST as MOST_MARKERS
from timeline.ingest.markers import read as read_markers
from timeline.models import Marker, Token
from timeline.search.caret import typed
from timeline.search.times import parse_time
from timeline.store.port import COHORT_LIMIT
from timeline.web import downloads, problems
from timeline.web.asked import ask_of, beside_of, cohort_of, entity_of, window_of
from timeline.web.contexts.kept import searches_json

SEEN_LIMIT = 10_000


class _Bearer(HttpBearer):
    """A read token."""

    def authenticate(self, request: HttpRequest, token: str) -> Token | None:
        """The live read token, or ``None``."""
        return keys.remembered(token, Token.Scope.READ)


class _Marking(HttpBearer):
    """An ingest key: who may send facts may tell of a deploy."""

    def authenticate(self, request: HttpRequest, token: str) -> Token | None:
        """The live ingest key, or ``None``."""
        return keys.find(token, Token.Scope.INGEST)


class _Session(APIKeyCookie):
    """A signed-in browser; writes are checked for CSRF."""

    param_name = "throughline"

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        """The user of the session, or ``None``."""
        return None if isinstance(request.user, AnonymousUser) else request.user


api = NinjaAPI(
    title="Throughline",
    version="1",
    urls_namespace="api",
    openapi_url="/openapi.json",
    docs_url=None,
    auth=[_Bearer(), _Session(csrf=True)],
    description="Have we seen this event? What happened to this message? What is this entity's story?",
)


class SearchParams(Schema):
    """A question and its range."""

    q: str = Field("", description="query text, as in the search box", max_length=8192)
    from_: str = Field("", alias="from", description="ISO 8601, epoch, or relative such as now-2h")
    to: str = ""
    range: str = Field("", description="24h, 7d, all, or an ISO interval; 24h where nothing is given")
    sort: str = Field("newest", description="newest, oldest, received or longest")
    limit: int = Field(50, ge=1, le=1000)
    cursor: str = Field("", description="next of the page before")
    environment: str = Field("", description="only facts of this environment")
    more: str = Field("", description="a field or an attribute key of which up to 500 values are counted")
    drawn: bool = Field(
        True,
        description="false is the quickest list: no facets, no histogram, no counts of readings, "
        "and a total that stops at 10,000",
    )


class SeenBody(Schema):
    """Identifiers to judge, at most 10,000."""

    ids: list[str] = Field(max_length=SEEN_LIMIT)
    range: str = Field("all", description="24h, 7d, all, or an ISO interval")


def _json(value: Any) -> HttpResponse:
    return HttpResponse(orjson.dumps(value), content_type="application/json")


@api.get("/v1/search", summary="A search: verdict, coverage, facts", operation_id="search")
def search(request: HttpRequest, params: Query[SearchParams]) -> HttpResponse:
    """Facts that match, newest first, with the verdict and what it rests on."""
    answer = wiring.reading().search(msgspec.structs.replace(ask_of(request.GET), drawn=params.drawn))
    return _json(shapes.search_json(answer, answer.facts))


class MarkersParams(Schema):
    """Which markers; read together with the request's range."""

    from_: str = Field("", alias="from")
    to: str = ""
    range: str = Field("", description="24h, 7d, all, or an ISO interval; 24h where nothing is given")
    environment: str = Field("", description="those of it, and those of none")


class TailParams(Schema):
    """What is followed, and from where."""

    q: str = Field("", max_length=8192)
    after: str = Field(description="up_to of the answer before; RFC 3339")
    environment: str = ""
    limit: int = Field(200, ge=1, le=500)


class SuggestParams(Schema):
    """What stands before the caret."""

    text: str = Field("", max_length=8192, description="the question so far")
    caret: int | None = Field(None, ge=0, description="place of the caret; the end where none is given")


@api.get("/v1/tail", summary="What was received since the last look", operation_id="tail")
def tail(request: HttpRequest, params: Query[TailParams]) -> HttpResponse:
    """Matches received in ``after <= t < up_to``, newest received first; ask again from ``up_to``.

    Together the answers skip and repeat nothing; ``skipped`` says how many were too many for this one.
    """
    after = parse_time(params.after, time.time_ns())
    ask = ask_of(
        {"q": params.q, "environment": params.environment, "limit": str(params.limit), "range": "all"}
    )
    return _json(shapes.tail_json(wiring.reading().tail(ask, after)))


@api.get("/v1/suggest", summary="Completions of what is being typed", operation_id="suggest")
def suggest(request: HttpRequest, params: Query[SuggestParams]) -> HttpResponse:
    """Keys and values of the last day that continue the text; each replaces it from ``start`` to the caret.

    With an empty text, a person's recent searches and the saved ones.
    """
    if not params.text.strip():
        return _json({"start": 0, "offers": searches_json(request)})
    word = typed(params.text, params.caret)
    offers = wiring.reading().offers(word) if word is not None else []
    start = len(params.text) if word is None else word.start
    return _json({"start": start, "offers": msgspec.to_builtins(offers)})


@api.get("/v1/facts/{fact_id}", summary="One fact, whole, with its hops", operation_id="fact")
def fact(request: HttpRequest, fact_id: str) -> HttpResponse:
    """404 where the id is unknown."""
    answer = wiring.reading().fact(fact_id)
    if answer is None:
        return problems.problem(
            404, "No such fact", f"no fact has the id {fact_id[:40]}", remedy="search for the event instead"
        )
    return _json(shapes.fact_answer_json(answer))


@api.get("/v1/traces/{trace_id}", summary="A trace, whole", operation_id="trace")
def trace(request: HttpRequest, trace_id: str) -> HttpResponse:
    """Every span and event of a trace; 404 where nothing of it was seen."""
    answer = wiring.reading().trace(trace_id)
    if answer is None:
        return problems.problem(
            404, "No such trace", "nothing of this trace was seen", remedy="ask the verdict at /api/v1/search"
        )
    return _json(shapes.trace_json(answer))


@api.post("/v1/seen", summary="Verdicts for many ids at once", operation_id="seen")
def seen(request: HttpRequest, body: SeenBody) -> HttpResponse:
    """One verdict per id, in the order given."""
    ids = [text.strip() for text in body.ids if text.strip()]
    if any(len(text) > 1024 for text in ids):
        raise BadQuery("an id is longer than 1,024 characters", remedy="send identifiers, not documents")
    window = None if body.range == "all" else window_of({"range": body.range})
    return _json(shapes.seen_json(wiring.reading().seen(ids, window)))


class CohortParams(Schema):
    """Which entities of a type; read together with the request, since names may be repeated."""

    reached: list[str] = Field([], description="steps it reached: repeated, or with commas between")
    missing: list[str] = Field([], description="steps it did not reach")
    quiet_for: str = Field("", description="without a fact for this long: 30m, 2h, 1d")
    as_of: str = Field("", description="the moment that quiet is counted to; now where empty")
    environment: str = ""
    limit: int = Field(50, ge=1, le=COHORT_LIMIT)
    cursor: str = Field("", description="next of the page before")


@api.get("/v1/entities/{kind}", summary="Entities that reached A and not B", operation_id="cohort")
def cohort(request: HttpRequest, kind: str, params: Query[CohortParams]) -> HttpResponse:
    """Entities of a type with their steps, longest quiet first; ``?entity=type:id`` asks for a timeline."""
    if request.GET.get("entity"):
        return entity(request, kind)
    return _json(cohort_json(wiring.reading().cohort(cohort_of(kind, request.GET))))


@api.get("/v1/entities/{path:rest}", summary="An entity's timeline", operation_id="timeline")
def entity(request: HttpRequest, rest: str, expand: bool = False, context: bool = False) -> HttpResponse:
    """``/v1/entities/{type}/{id}/timeline``; the id may hold slashes. ``?entity=type:id`` works too.
    ``?with=type:id,type:id`` shows others beside it, each fact once."""
    named = request.GET.get("entity", "")
    if not named:
        if not rest.endswith("/timeline") or rest.count("/") < 2:
            return problems.problem(404, "No such page", "the path is /api/v1/entities/{type}/{id}/timeline")
        kind, _, name = rest.removesuffix("/timeline").partition("/")
        named = f"{kind}:{name}"
    found = wiring.reading().entity(
        entity_of(named),
        window=window_of(request.GET, default=None),
        context=context,
        expand=expand,
        beside=beside_of(request.GET),
    )
    if found is None:
        return problems.problem(
            404,
            "No such entity",
            f"nothing about {named[:200]} was seen in this range",
            remedy="widen the range",
        )
    return _json(shapes.entity_json(found))


@api.get("/v1/flows", summary="What flows between services", operation_id="flows")
def flows(request: HttpRequest) -> HttpResponse:
    """Each producing service, destination and consumer group: rate, waits, work, failures, what is not taken.
    Told by the newest 5,000 message spans of the range (24 h where none is given); times in ns."""
    return _json(shapes.flows_json(wiring.reading().flows(window_of(request.GET))))


@api.get("/v1/flows/{path:name}", summary="One topic, queue or stream", operation_id="destination")
def destination(request: HttpRequest, name: str) -> HttpResponse:
    """Its flows, partitions, keys, versions and sizes; 404 where no message through it was seen."""
    answer = wiring.reading().destination(name, window_of(request.GET))
    if answer is None:
        return problems.problem(
            404, "No such destination", f"no message through {name[:200]} was seen", remedy="widen the range"
        )
    return _json(shapes.destination_json(answer))


@api.get("/v1/coverage", summary="What answers rest on now", operation_id="coverage")
def coverage(request: HttpRequest) -> HttpResponse:
    """Watermark, gaps and causes over a range (24 h where none is given)."""
    return _json(shapes.coverage_json(wiring.reading().coverage(window_of(request.GET))))


_MARKER = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        **{name: {"type": "string"} for name in ("title", "service", "version", "environment", "url")},
        "kind": {"type": "string", "enum": list(MARKER_KINDS)},
        **{name: {"type": ["string", "integer"], "description": "a moment"} for name in ("at", "until")},
    },
}
_MARKERS_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"oneOf": [_MARKER, {"type": "array", "maxItems": MOST_MARKERS, "items": _MARKER}]}
        }
    },
}


def _marker_json(one: Marker) -> dict[str, Any]:
    names = ("kind", "title", "service", "version", "environment", "url", "by")
    return {"at": moment(one.at), "until": moment(one.until), **{name: getattr(one, name) for name in names}}


@api.post(
    "/v1/markers",
    summary="Tell of a deploy or a change",
    operation_id="mark",
    auth=[_Marking(), _Session(csrf=True)],
    openapi_extra={"requestBody": _MARKERS_BODY},
)
def mark(request: HttpRequest) -> HttpResponse:
    """One marker or a list, as ``POST /v1/markers`` of the receiver takes them; needs an ingest key or a session."""
    who = request.auth  # type: ignore[attr-defined]  # set by the authentication above
    by, workspace = (who.name, who.workspace) if isinstance(who, Token) else (who.get_username(), "main")
    new = markers.keep(read_markers(request.body, time.time_ns()), by=by, workspace=workspace)
    response = _json({"new": new})
    response.status_code = 201 if new else 200
    return response


@api.get("/v1/markers", summary="Deploys and changes in a range", operation_id="markers")
def marks(request: HttpRequest, params: Query[MarkersParams]) -> HttpResponse:
    """The newest 60 of the range, oldest first."""
    window = window_of(request.GET)
    found = markers.between(window.start, window.end, environment=params.environment)
    return _json({"markers": [_marker_json(one) for one in found]})


@api.get("/v1/senders", summary="Who sends, what waits, the accounting", operation_id="senders")
def senders(request: HttpRequest) -> HttpResponse:
    """Items: received = refused + inbox + new + already + variant + quarantined."""
    return _json(msgspec.to_builtins(wiring.reading().senders()))


@api.get("/v1/accounting", summary="What became of every item, by sender", operation_id="accounting")
def accounting(request: HttpRequest) -> HttpResponse:
    """Items, of each sender: received = refused + inbox + new + already + variant + quarantined (+ unaccounted,
    which is 0 unless the report of another node is old). What waits, since when, and its rates of the last minute."""
    return _json(accounting_json(wiring.reading().accounting()))


@api.get("/v1/export/{what}", summary="Take a search, a trace or an entity away", operation_id="export")
def export(request: HttpRequest, what: str, format: str = "json") -> Any:  # noqa: A002 - the parameter's public name
    """A stream that states its query, coverage and completeness."""
    return downloads.export(request, what, format)


@api.exception_handler(ThroughlineError)
def _ours(request: HttpRequest, error: Exception) -> HttpResponse:
    assert isinstance(error, ThroughlineError)  # noqa: S101 - what it is registered for
    return problems.of(error)


@api.exception_handler(AuthenticationError)
def _stranger(request: HttpRequest, error: Exception) -> HttpResponse:
    return problems.problem(
        401, "Who are you?", "this needs a read token or a session", remedy="manage.py token create --read"
    )


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: Exception) -> HttpResponse:
    assert isinstance(error, ValidationError)  # noqa: S101 - what it is registered for
    faults = [
        {"where": ".".join(map(str, fault["loc"])), "what": fault["msg"]} for fault in error.errors[:20]
    ]
    return problems.problem(
        400,
        "The request cannot be read",
        "; ".join(f"{f['where']}: {f['what']}" for f in faults),
        faults=faults,
    )
