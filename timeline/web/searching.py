"""What belongs to the search page beside its answer: followed live, saved, waited for, made one's own."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlencode

import msgspec
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from timeline import redactions, searches, wiring
from timeline.errors import BadQuery
from timeline.models import Watch
from timeline.reading import watches as waiting
from timeline.searches import Kept
from timeline.web import colours, words
from timeline.web.asked import ask_of
from timeline.web.contexts import columns, rows
from timeline.web.contexts.controls import KEPT, known_query
from timeline.web.contexts.frame import CARRIED, frame, link, searches_href
from timeline.web.pages import answered, error_page, waits_shown

TAILED = 200  # rows of one answer to a page that follows
REMEMBERED = 365 * 86400  # s that a reader's usual columns are kept
NEAR = 20  # facts shown on each side of one


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - every page asks for a session
    return request.user


@require_safe
@answered
def tail(request: HttpRequest) -> HttpResponse:
    """``/search/tail``: rows received since ``after`` (ns), as the search page draws them."""
    after = request.GET.get("after", "")
    if not after.isascii() or not after.isdecimal() or len(after) > 19 or int(after) >= 1 << 63:
        raise BadQuery("after is no moment", remedy="give the moment of the answer before, in ns")
    params = {name: request.GET[name] for name in ("q", *CARRIED) if request.GET.get(name)}
    ask = msgspec.structs.replace(ask_of(params), limit=TAILED)
    answer = wiring.reading().tail(ask, int(after))
    hues = colours.assign(row.service for row in answer.rows if row.service)
    view = columns.chosen(params, request.COOKIES)
    shown = [rows.row_line(row, params, hues) for row in answer.rows]
    context = {
        "answer": answer,
        "lines": rows.with_cells(
            shown,
            answer.facts,
            view["columns"],
            {**params, "sort": "received", "tail": "1"},
            answer.now,
            waits_shown(view["columns"], answer.facts),
        ),
    }
    return render(request, "timeline/_tail.html", context)


@require_safe
@answered
def around(request: HttpRequest, fact_id: str) -> HttpResponse:
    """``/facts/<id>/around``: the search for what was just before and after one fact, with the way back."""
    window = wiring.reading().around(fact_id, NEAR)
    if window is None:
        return error_page(
            request, 404, "No fact has this id.", remedy="Paste what you know of it into the box."
        )
    asked = {name: values[0] for name, values in parse_qs(request.GET.get("back", "")[:8192]).items()}
    kept: dict[str, str] = {
        name: asked[name]
        for name in ("columns", "density")
        if name in asked  # the range counts all environments
    }
    return redirect(
        link(
            "/search",
            kept,
            q="*",
            **{"from": words.iso(window.start), "to": words.iso(window.end)},
            sort="oldest",
            fact=fact_id,
            back=request.GET.get("back", "")[:8192],
        )
    )


@require_safe
@answered
def saved(request: HttpRequest) -> HttpResponse:
    """``/saved``: the team's saved searches, and what the reader asked lately."""
    user = _person(request)
    context = {
        "frame": frame(request, "saved", "Saved searches"),
        "saved": [
            {
                "kept": kept,
                "href": searches_href(kept),
                "mine": kept.by == user.get_username() or user.is_staff,
            }
            for kept in searches.saved()
        ],
        "recent": [{"kept": kept, "href": searches_href(kept)} for kept in searches.recent(user.pk)],
    }
    return render(request, "timeline/saved.html", context)


@require_POST
@answered
def save(request: HttpRequest) -> HttpResponse:
    """``/saved/add``: keep a search under a name for everybody."""
    query = known_query(request.POST.get("query", ""))
    kept = searches.save(
        Kept(
            id=0,
            text=redactions.unsaid(request.POST.get("q", "").strip()),
            query=query,
            name=request.POST.get("name", ""),
            note=" ".join(request.POST.get("note", "").split()),
            by=_person(request).get_username(),
        )
    )
    return redirect(searches_href(kept))


@require_POST
@answered
def forget(request: HttpRequest, pk: int) -> HttpResponse:
    """``/saved/<id>/remove``: one's own, or any for an operator."""
    user = _person(request)
    if not searches.forget_saved(pk, by=user.get_username(), staff=user.is_staff):
        raise Http404
    return redirect("/saved")


@require_POST
@answered
def forget_recent(request: HttpRequest) -> HttpResponse:
    """``/saved/recent/remove``: everything the reader asked lately."""
    searches.forget_recent(_person(request).pk)
    return redirect("/saved")


@require_POST
@answered
def usual(request: HttpRequest) -> HttpResponse:
    """``/search/usual``: the columns and density of a page become the reader's own, or the usual ones again."""
    query = known_query(request.POST.get("query", ""))
    params = {name: values[0] for name, values in parse_qs(query).items()}
    asked = {"q": request.POST.get("q", ""), **params}
    response = redirect(link("/search", {**asked, "columns": None, "density": None}))
    if request.POST.get("reset"):
        response.delete_cookie("columns")
        response.delete_cookie("density")
        return response
    view = columns.chosen(params, request.COOKIES)
    chosen = ",".join(column.key for column in view["columns"])
    for name, value in (("columns", chosen), ("density", str(view["density"]))):
        response.set_cookie(name, value, max_age=REMEMBERED, samesite="Lax")
    return response


@require_safe
@answered
def watches(request: HttpRequest) -> HttpResponse:
    """``/watches``: what the reader waits for, and what of it arrived."""
    user = _person(request)
    mine = waiting.of(user.pk)
    wiring.reading().watched(mine)
    context = {
        "frame": frame(request, "watches", "Waiting for"),
        "arrived": [_watch(one) for one in mine if one.arrived is not None],
        "waiting": [_watch(one) for one in mine if one.arrived is None],
        "days": waiting.LIFETIME // words.DAY,
        "most": waiting.MOST,
    }
    return render(request, "timeline/watches.html", context)


def _watch(one: Watch) -> dict[str, object]:
    query = {"q": one.text, "environment": one.environment}
    if one.start is not None or one.end is not None:
        query |= {"from": words.iso(one.start), "to": words.iso(one.end)}
    return {
        "watch": one,
        "line": " ".join(one.text.split()),
        "href": link("/search", {k: v for k, v in query.items() if v}),
        "fact": f"/facts/{one.fact}" if one.fact else "",
    }


@require_safe
def news(request: HttpRequest) -> JsonResponse:
    """``/watches/news``: how many of the reader's watches have something to tell."""
    return JsonResponse({"arrived": waiting.arrived(_person(request).pk)})


@require_POST
@answered
def watch(request: HttpRequest) -> HttpResponse:
    """``/watches/add``: wait for what a search did not find; the search page says so from then on."""
    params = {name: request.POST[name] for name in ("q", *CARRIED) if request.POST.get(name)}
    ask = msgspec.structs.replace(ask_of(params), drawn=False, limit=1)
    answer = wiring.reading().search(ask)
    if answer.verdict.kind != "seen":
        waiting.watch(_person(request).pk, ask, since=min(answer.coverage.up_to, time.time_ns()))
    return redirect(link("/search", params))


@require_POST
@answered
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """``/watches/<id>/remove``: wait no more; back to the search it was asked from, or to the list."""
    waiting.withdraw(_person(request).pk, pk)
    back = {
        name: values[0]
        for name, values in parse_qs(request.POST.get("back", "")[:8192]).items()
        if name in ("q", *KEPT)
    }
    return redirect(f"/search?{urlencode(back)}" if back else "/watches")
