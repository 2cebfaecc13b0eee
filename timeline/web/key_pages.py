"""Keys, for operators: made, followed by the next, revoked; each step in the audit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from timeline import keys
from timeline.errors import Rejected
from timeline.models import Token
from timeline.web.contexts.frame import frame
from timeline.web.contexts.keys import OVERLAPS, keys_page
from timeline.web.pages import answered
from timeline.web.readers import operator

_WORKSPACE: Final = "main"


@require_safe
@answered
def keys_view(request: HttpRequest) -> HttpResponse:
    """``/settings/keys``: every key of the workspace, without its secret."""
    operator(request)
    return _page(request)


@require_POST
@answered
def create(request: HttpRequest) -> HttpResponse:
    """``/settings/keys/create``: a new key, shown in this answer and never again."""
    by = operator(request)
    scope = request.POST.get("scope", "")
    try:
        if scope not in Token.Scope.values:
            raise Rejected("choose what the key may do")
        days = _number(request, "days", "days")
        if days is not None and not 0 < days <= 3650:
            raise Rejected("a key lives between a day and ten years", remedy="leave it empty for no end")
        secret = keys.make(_terms(request), scope, days=days, by=by)
    except Rejected as error:
        return _page(request, problem=error, status=422)
    return _page(request, secret=secret)


@require_POST
@answered
def rotate(request: HttpRequest, pk: int) -> HttpResponse:
    """``/settings/keys/<id>/rotate``: the next key of a sender; its live ones end when chosen."""
    by = operator(request)
    hours = request.POST.get("hours", "")
    if hours not in dict(OVERLAPS):
        raise Http404
    secret = keys.rotate(_live(pk), timedelta(hours=int(hours)), by=by)
    return _page(request, secret=secret)


@require_POST
@answered
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """``/settings/keys/<id>/revoke``: dead within five seconds."""
    by = operator(request)
    keys.revoke(_live(pk), by=by)
    return redirect("/settings/keys")


def _live(pk: int) -> Token:
    token = keys.live().filter(pk=pk, workspace=_WORKSPACE).first()
    if token is None:
        raise Http404
    return token


def _terms(request: HttpRequest) -> keys.Terms:
    text = {name: " ".join(request.POST.get(name, "").split()) for name in ("name", "team", "environment")}
    return keys.Terms(
        workspace=_WORKSPACE,
        quota_items=_number(request, "quota_items", "items a second"),
        quota_burst=_number(request, "quota_burst", "items at once"),
        quota_bytes=_number(request, "quota_bytes", "bytes a second"),
        **text,
    )


def _number(request: HttpRequest, name: str, what: str) -> int | None:
    text = request.POST.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 13):
        raise Rejected(f"{what}: a whole number is wanted")
    return int(text)


def _page(
    request: HttpRequest, *, secret: str = "", problem: Rejected | None = None, status: int = 200
) -> HttpResponse:
    rows = Token.objects.filter(workspace=_WORKSPACE).order_by("scope", "name", "-created")[:500]
    context: dict[str, Any] = {
        "frame": frame(request, "senders", "Ingest keys"),
        "secret": secret,
        "problem": problem,
        "asked": request.POST if problem else {},
        **keys_page(list(rows), timezone.now()),
    }
    return render(request, "timeline/keys.html", context, status=status)
