"""The pages a person sees. Each asks one question and shows its one answer.

Empty, partial, failed and forbidden are different pages (``experience.md``). Errors of ours
become pages with the remedy; what is not ours becomes the 500 page.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from timeline import wiring
from timeline.errors import BadQuery, ThroughlineError
from timeline.web.asked import ask_of
from timeline.web.contexts.frame import frame, kept
from timeline.web.contexts.search import search_page, syntax_error
from timeline.web.problems import status_of

log = logging.getLogger(__name__)
View = Callable[..., HttpResponse]


def error_page(
    request: HttpRequest, status: int, sentence: str, *, detail: str = "", remedy: str = "", column: int | None = None
) -> HttpResponse:
    """A page that says what happened, what was kept, and what to do next."""
    context = {
        "frame": frame(request, "error", sentence),
        "status": status,
        "sentence": sentence,
        "detail": detail,
        "remedy": remedy,
        "column": column,
    }
    response = render(request, "timeline/error.html", context, status=status)
    if status == 503:
        response.headers["Retry-After"] = "1"
    return response


def answered(view: View) -> View:
    """Turn errors of ours into their page."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except ThroughlineError as error:
            status, title = status_of(error)
            if status >= 500:
                log.warning("%s: %s", title, error)
            return error_page(request, status, f"{title}.", detail=error.message, remedy=error.remedy)

    return wrapped


@require_safe
@answered
def search(request: HttpRequest) -> HttpResponse:
    """``/search``: the verdict, what it rests on, and the rows."""
    params = {**kept(request), **{name: request.GET[name] for name in ("cursor", "view") if request.GET.get(name)}}
    try:
        answer = wiring.reading().search(ask_of(request.GET))
    except BadQuery as error:
        page = frame(request, "search", "Search", q=request.GET.get("q", ""))
        context = {"frame": page, "error": syntax_error(error, request.GET.get("q", "").strip())}
        return render(request, "timeline/search.html", context, status=400)
    page = frame(request, "search", "Search", q=answer.text or params.get("q", ""), understood=answer.understood)
    return render(request, "timeline/search.html", {"frame": page, **search_page(answer, params)})


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: the request itself is malformed."""
    return error_page(request, 400, "This request cannot be read.", remedy="Go back, or start again from the box above.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: signed in, and still not allowed."""
    return error_page(
        request,
        403,
        "This is not open to you.",
        detail="You are signed in, but your account may not do this. Nothing was changed.",
        remedy="Ask whoever runs this installation for the right, or sign in as somebody else.",
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: no page, fact, trace or entity of that name."""
    return error_page(
        request,
        404,
        "There is no such page.",
        detail="The address may be mistyped, or what it named has left retention.",
        remedy="Paste the id into the box above: the search says whether it was seen, and what that rests on.",
    )


def failed(request: HttpRequest) -> HttpResponse:
    """500: a fault of ours."""
    return error_page(
        request,
        500,
        "Something failed here.",
        detail="The fault is in Throughline and was logged. Nothing that was received is lost.",
        remedy="Try again; if it stays, the log of the web process says why.",
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form from an old page or a foreign site."""
    return error_page(
        request,
        403,
        "This form is out of date.",
        detail="It was opened before the last sign-in, or cookies are off. Nothing was changed.",
        remedy="Open the page again and send the form once more.",
    )
