"""Quarantine, for operators: look, take away, accept again after a fix, give up with a reason."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from django.db.models import Count, Max, Min, Sum
from django.db.models.functions import Length
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from timeline import quarantine, wiring
from timeline.errors import Rejected, ThroughlineError
from timeline.models import Audit, Quarantined
from timeline.redactions import Redactions
from timeline.web.contexts.frame import frame
from timeline.web.contexts.quarantine import item_page, shown
from timeline.web.pages import answered
from timeline.web.readers import operator

_WORKSPACE: Final = "main"
_LISTED: Final = 200


@cache
def _redactions() -> Redactions:
    return Redactions()


@require_safe
@answered
def listed(request: HttpRequest) -> HttpResponse:
    """``/senders/quarantine``: what is kept by reason, each item, and what was decided lately."""
    return _list(request)


@require_safe
@answered
def item(request: HttpRequest, pk: int) -> HttpResponse:
    """``/senders/quarantine/<id>``: one of them, as far as it can be read."""
    return _item(request, _row(pk))


@require_safe
@answered
def bytes_of(request: HttpRequest, pk: int) -> HttpResponse:
    """``/senders/quarantine/<id>/bytes``: what is kept of it, as a file."""
    row = _row(pk)
    who = request.user.get_username()
    Audit.objects.create(
        who=who, what="quarantine bytes", detail=f"{row.request}/{row.position}", rows=row.items
    )
    response = HttpResponse(bytes(row.data), content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="quarantined-{pk}.bin"'
    return response


@require_POST
@answered
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """``/senders/quarantine/<id>/decide``: accept it again, or give it up."""
    who = operator(request)
    row = _row(pk)
    try:
        _decide(request, row, who)
    except Rejected as error:
        return _item(request, row, problem=error, status=422)
    return redirect(f"/senders/quarantine/{pk}")


@require_POST
@answered
def decide_all(request: HttpRequest) -> HttpResponse:
    """``/senders/quarantine/decide``: the same for everything of one reason, a thousand at a time."""
    who = operator(request)
    reason = request.POST.get("reason", "")
    done, problems = 0, []
    for row in quarantine.all_of(reason, _WORKSPACE):
        try:
            _decide(request, row, who)
            done += 1
        except Rejected as error:
            problems.append(error)
            if request.POST.get("what") == "discard":
                break  # without a reason none of them goes
    if problems:
        return _list(request, problem=problems[0], done=done, failed=len(problems), status=422)
    return redirect("/senders/quarantine")


def _decide(request: HttpRequest, row: Quarantined, who: str) -> None:
    what = request.POST.get("what", "")
    if what == "replay":
        quarantine.replay(row, wiring.inbox(), _redactions(), who=who)
    elif what == "discard":
        quarantine.discard(row, wiring.inbox(), why=request.POST.get("why", ""), who=who)
    else:
        raise Http404


def _row(pk: int) -> Quarantined:
    row = Quarantined.objects.filter(workspace=_WORKSPACE, pk=pk).first()
    if row is None:
        raise Http404
    return row


def _list(
    request: HttpRequest,
    *,
    problem: ThroughlineError | None = None,
    done: int = 0,
    failed: int = 0,
    status: int = 200,
) -> HttpResponse:
    kept = quarantine.kept(_WORKSPACE)
    groups = kept.values("reason").annotate(
        rows=Count("pk"), n=Sum("items"), first=Min("at"), last=Max("at"), message=Max("message")
    )
    sized = Quarantined.objects.filter(workspace=_WORKSPACE).annotate(size=Length("data")).defer("data")
    context: dict[str, Any] = {
        "frame": frame(request, "senders", "Quarantine"),
        "problem": problem,
        "done": done,
        "failed": failed,
        **shown(
            [dict(group) for group in groups.order_by("-last")],
            list(sized.filter(state=Quarantined.State.KEPT).order_by("-at", "position")[:_LISTED]),
            list(sized.exclude(state=Quarantined.State.KEPT).order_by("-changed")[:_LISTED]),
        ),
        "may_decide": getattr(request.user, "is_staff", False),
    }
    return render(request, "timeline/quarantine.html", context, status=status)


def _item(
    request: HttpRequest, row: Quarantined, *, problem: ThroughlineError | None = None, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {
        "frame": frame(request, "senders", "Quarantine"),
        "problem": problem,
        **item_page(row),
        "may_decide": getattr(request.user, "is_staff", False),
    }
    return render(request, "timeline/quarantined.html", context, status=status)
