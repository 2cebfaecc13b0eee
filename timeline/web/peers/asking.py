"""What both APIs share: what a URL may say, and errors as their clients read them."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable
from typing import Any

import orjson
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from timeline import wiring
from timeline.errors import BadQuery, ThroughlineError
from timeline.search.query import Window
from timeline.web.problems import status_of
from timeline.web.readers import may_read

Ask = Callable[..., Any]
Failed = Callable[[int, str], Any]
US, MS = 10**3, 10**6  # ns
_FURTHEST = 2**62  # ns
_DAY = 86400 * 10**9
_TRACE_ID = re.compile(r"[0-9a-f]{1,32}")


def answering(failed: Failed) -> Callable[[Ask], Callable[..., HttpResponse]]:
    """A view that answers in JSON; ``failed`` makes the body of an error from its status and sentence."""

    def decorate(ask: Ask) -> Callable[..., HttpResponse]:
        @login_not_required
        @require_safe
        @functools.wraps(ask)
        def view(request: HttpRequest, **named: str) -> HttpResponse:
            if not may_read(request):
                response = _json(failed(401, "a read token is needed: manage.py token create --read"), 401)
                response.headers["WWW-Authenticate"] = 'Basic realm="throughline"'
                return response
            try:
                found = ask(wiring.reading().traces(), request, **named)
            except ThroughlineError as error:
                status, _ = status_of(error)
                return _json(failed(status, f"{error.message}; {error.remedy}"), status)
            if found is None:
                return _json(failed(404, "trace not found"), 404)
            return _json(found, 200)

        return view

    return decorate


def _json(value: Any, status: int) -> HttpResponse:
    return HttpResponse(
        orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS), status=status, content_type="application/json"
    )


def whole(request: HttpRequest, name: str, default: int, *, unit: int = 1, most: int = _FURTHEST) -> int:
    """A whole number of ``unit`` from the URL, as ns or as it is; raises ``BadQuery``."""
    written = request.GET.get(name, "").strip()
    if not written:
        return default
    if not written.isascii() or not written.isdecimal() or len(written) > 19 or int(written) * unit > most:
        raise BadQuery(
            f"{name} is {written[:40]!r}", remedy=f"{name} is a whole number of at most {most // unit}"
        )
    return int(written) * unit


def trace_id(written: str) -> str:
    """A trace id as it is stored: 32 lower-case digits; raises ``BadQuery``."""
    text = written.strip().lower()
    if not _TRACE_ID.fullmatch(text):
        raise BadQuery(f"{written[:40]!r} is not a trace id", remedy="it has 32 (or 16) hexadecimal digits")
    return text.zfill(32)


def looked_back(request: HttpRequest, *, beyond: int = 0) -> Window:
    """``lookback`` before ``endTs``, both in ms: the day before now where nothing is given. ``beyond`` (ns) is
    added at the end, for those who ask with that moment inside."""
    end = whole(request, "endTs", time.time_ns(), unit=MS)
    return Window(start=max(end - whole(request, "lookback", _DAY, unit=MS), 0), end=end + beyond)
