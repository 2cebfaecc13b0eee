"""The one table from our errors to problem+json (RFC 9457)."""

from __future__ import annotations

import logging
from typing import Any

import orjson
from django.http import HttpResponse

from timeline.errors import (
    BadQuery,
    MalformedPayload,
    Rejected,
    StoreUnavailable,
    ThroughlineError,
    TooLarge,
    Unavailable,
)
from timeline.web import words

log = logging.getLogger(__name__)
_STATUS: tuple[tuple[type[ThroughlineError], int, str], ...] = (
    (BadQuery, 400, "The question cannot be read"),
    (TooLarge, 413, "Too large"),
    (MalformedPayload, 400, "The payload cannot be read"),
    (Rejected, 422, "Refused"),
    (Unavailable, 503, "Not available now"),
)


def status_of(error: ThroughlineError) -> tuple[int, str]:
    """HTTP status and title of an error of ours."""
    for kind, status, title in _STATUS:
        if isinstance(error, kind):
            return status, title
    return 500, "Something failed"


def problem(status: int, title: str, detail: str = "", **members: Any) -> HttpResponse:
    """A problem document; ``members`` are extension members such as ``column``."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    body.update({name: value for name, value in members.items() if value not in (None, "")})
    response = HttpResponse(orjson.dumps(body), status=status, content_type="application/problem+json")
    if status == 503:
        response.headers["Retry-After"] = "1"
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="throughline"'
    return response


def of(error: ThroughlineError, *, logged: bool = True) -> HttpResponse:
    """The problem document of an error of ours, with its remedy."""
    status, title = status_of(error)
    if status >= 500 and logged:
        log.warning("%s: %s", title, error)
    members: dict[str, Any] = {"remedy": error.remedy, "column": getattr(error, "column", None)}
    waits = waiting(error)
    if isinstance(error, StoreUnavailable) and error.waiting is not None:
        members["pending_requests"], members["pending_items"] = error.waiting
    return problem(status, title, f"{error.message}. {waits}" if waits else error.message, **members)


def waiting(error: ThroughlineError) -> str:
    """What is stored and cannot be searched while the store is away, as a sentence; empty for nothing."""
    if not isinstance(error, StoreUnavailable) or error.waiting is None or not any(error.waiting):
        return ""
    requests, items = error.waiting
    verb = "waits" if requests == 1 else "wait"
    return (
        f"Stored, not yet searchable: {words.plural(requests, 'request')} with"
        f" {words.plural(items, 'item')} {verb} in the inbox."
    )
