"""The pages a person sees. Each asks one question and shows its one answer.

Empty, partial, failed and forbidden are different pages (``experience.md``). Errors of ours
become pages with the remedy; what is not ours becomes the 500 page.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from timeline import redactions, searches, wiring
from timeline.domain import Entity, Stored
from timeline.errors import BadQuery, ThroughlineError, Unavailable
from timeline.reading import watches
from timeline.reading.search import Ask
from timeline.search.query import Window
from timeline.web import words
from timeline.web.asked import ask_of, beside_of, entity_of, window_of
from timeline.web.contexts import columns
from timeline.web.contexts.compare import comparison
from timeline.web.contexts.controls import OWN, query_of
from timeline.web.contexts.entity import KEPT as ENTITY_PARAMETERS
from timeline.web.contexts.entity import entity_page
from timeline.web.contexts.fact import fact_page
from timeline.web.contexts.frame import frame, kept, link
from timeline.web.contexts.home import home_page
from timeline.web.contexts.search import search_page, syntax_error
from timeline.web.problems import status_of, waiting

log = logging.getLogger(__name__)
View = Callable[..., HttpResponse]


def error_page(
    request: HttpRequest,
    status: int,
    sentence: str,
    *,
    detail: str = "",
    waits: str = "",
    remedy: str = "",
    column: int | None = None,
) -> HttpResponse:
    """A page that says what happened, what was kept, and what to do next."""
    context = {
        "frame": frame(request, "error", sentence),
        "status": status,
        "sentence": sentence,
        "detail": detail,
        "waits": waits,
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
            return error_page(
                request,
                status,
                f"{title}.",
                detail=error.message,
                waits=waiting(error),
                remedy=error.remedy,
            )

    return wrapped


@require_safe
@answered
def home(request: HttpRequest) -> HttpResponse:
    """``/``: the box, examples, what the last hour brought; or how to send the first span."""
    hour = Window(start=time.time_ns() - words.HOUR, end=time.time_ns())
    reading = wiring.reading()
    answer = reading.search(Ask(text="", window=hour))
    empty = not answer.rows and not reading.search(Ask(text="", limit=1, drawn=False)).rows
    host = request.get_host().rsplit(":", 1)[0]
    receiver = f"http://{host}:{settings.THROUGHLINE['THROUGHLINE_RECEIVER_PORT']}"
    keyless = settings.THROUGHLINE["THROUGHLINE_RECEIVER_HOST"] in ("127.0.0.1", "localhost", "::1")
    context = {
        "frame": frame(request, "home", "Home"),
        **home_page(answer, receiver, keyless=keyless, empty=empty),
    }
    return render(request, "timeline/home.html", context)


@require_safe
@answered
def search(request: HttpRequest) -> HttpResponse:
    """``/search``: the verdict, what it rests on, and the rows; nothing but the URL and the reader's own
    columns decide what it shows."""
    params = {**kept(request), **{name: request.GET[name] for name in OWN if request.GET.get(name)}}
    if request.GET.get("column"):  # one more, from a form that names those in force
        params["columns"] = f"{params.get('columns', '')},{request.GET['column'].replace(',', ' ')}"
        return redirect(link("/search", params))
    try:
        ask = ask_of(request.GET)
        answer = wiring.reading().search(ask)
    except BadQuery as error:
        page = frame(request, "search", "Search", q=request.GET.get("q", ""))
        wrong = {"frame": page, "error": syntax_error(error, request.GET.get("q", "").strip())}
        return render(request, "timeline/search.html", wrong, status=400)
    user = request.user
    waited_for = None
    if isinstance(user, User):
        if "cursor" not in params and "fact" not in params:
            searches.remember(user.pk, redactions.unsaid(answer.text), query_of(params))
        if answer.verdict.kind != "seen":
            waited_for = watches.waits(user.pk, ask)
    page = frame(
        request, "search", "Search", q=answer.text or params.get("q", ""), understood=answer.understood
    )
    shown = columns.chosen(params, request.COOKIES)["columns"]
    context: dict[str, Any] = {
        "frame": page,
        **search_page(answer, params, request.COOKIES, waits_shown(shown, answer.facts)),
        "panel": _panel(request, params.get("fact", "")),
        "waits": waited_for,
        "watch_days": watches.LIFETIME // words.DAY,
    }
    return render(request, "timeline/search.html", context)


def waits_shown(shown: Sequence[columns.Column], facts: Sequence[Stored]) -> dict[str, int] | None:
    """The waits of these facts' messages (ns, by fact id), where the columns show them; ``None`` where the store
    cannot tell: senders may lie on other days than the facts, and an answer does not fail with a day that nobody
    asked for."""
    if columns.COLUMNS["wait"] not in shown:
        return {}
    try:
        return wiring.reading().waits(facts)
    except Unavailable:
        return None


def _panel(request: HttpRequest, fact_id: str) -> SafeString | None:
    """The side panel of the fact that the URL names."""
    answer = wiring.reading().fact(fact_id) if fact_id else None
    if answer is None:
        return None
    return render_to_string("timeline/_panel.html", fact_page(answer, kept(request)), request)


@require_safe
@answered
def fact(request: HttpRequest, fact_id: str) -> HttpResponse:
    """``/facts/<id>``: one span or event, whole; ``?part=panel`` is the side panel alone."""
    answer = wiring.reading().fact(fact_id)
    if answer is None:
        return error_page(
            request,
            404,
            "No fact has this id.",
            detail=f"Nothing is stored as {fact_id[:40]}; it may have left retention.",
            remedy="Paste what you know of it into the box: the search says whether it was seen.",
        )
    part = "timeline/_panel.html" if request.GET.get("part") == "panel" else "timeline/fact.html"
    context = {"frame": frame(request, "fact", "Fact"), **fact_page(answer, kept(request))}
    return render(request, part, context)


@require_safe
@answered
def entity(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    """``/e/<type>/<id>``: the story of one entity, in the asked range or in all of it."""
    asked = Entity(type=kind, id=name)
    window = window_of(request.GET, default=None) if request.GET.get("q") != str(asked) else Window()
    asked_so: dict[str, Any] = {
        "window": window,
        "context": request.GET.get("context") == "1",
        "expand": request.GET.get("expand") == "1",
    }
    answer = wiring.reading().entity(asked, **asked_so, beside=beside_of(request.GET))
    if answer is None:
        return error_page(
            request,
            404,
            f"Nothing about {kind}:{name} was seen{' in this range' if window != Window() else ''}.",
            detail="Facts name an entity by attribute, by message key or by subject.",
            remedy="Paste it into the box: the search also looks at every attribute, and says what the answer rests on.",
        )
    params = {key: request.GET[key] for key in ENTITY_PARAMETERS if request.GET.get(key)}
    context = {
        "frame": frame(request, "entity", str(asked), q=request.GET.get("q") or str(asked)),
        **entity_page(answer, params),
    }
    if named := request.GET.get("compare", "").strip():
        other = wiring.reading().entity(entity_of(named), **asked_so)
        context["compared"] = comparison(answer, other, named, params, context["hues"])
    return render(request, "timeline/entity.html", context)


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """``/help``: the language, what can be pasted, the verdicts, keys and shapes."""
    return render(request, "timeline/help.html", {"frame": frame(request, "help", "Help")})


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: the request itself is malformed."""
    return error_page(
        request, 400, "This request cannot be read.", remedy="Go back, or start again from the box above."
    )


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
