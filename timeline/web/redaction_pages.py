"""Redaction rules, for operators: made, tried on samples, ended; each step in the audit."""

from __future__ import annotations

from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from timeline import redactions, wiring
from timeline.errors import Rejected, Unavailable
from timeline.models import RedactionRule
from timeline.reading.search import Ask
from timeline.redaction.detectors import DETECTORS
from timeline.redaction.rules import Rule
from timeline.web.contexts.frame import frame
from timeline.web.contexts.redaction import Sample, of_facts, of_text, redaction_page
from timeline.web.pages import answered
from timeline.web.readers import operator

_WORKSPACE: Final = "main"
_FACTS: Final = 200  # newest facts that a rule is tried on
_SAMPLE: Final = 64 << 10  # characters


@require_safe
@answered
def rules_view(request: HttpRequest) -> HttpResponse:
    """``/settings/redaction``: the rules in force, what they took out, and those that ended."""
    operator(request)
    return _page(request)


@require_POST
@answered
def create(request: HttpRequest) -> HttpResponse:
    """``/settings/redaction/create``: put a rule in force, or, asked to ``try``, show what it would take out."""
    who = operator(request)
    by, match, action = _asked(request)
    try:
        if "try" in request.POST:
            return _page(request, sample=_tried(request, by, match, action))
        note = " ".join(request.POST.get("note", "").split())
        redactions.make(by=by, match=match, action=action, note=note, who=who, workspace=_WORKSPACE)
    except Rejected as error:
        return _page(request, problem=error, status=422)
    return redirect("/settings/redaction")


@require_POST
@answered
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """``/settings/redaction/<id>/end``: out of force within two seconds."""
    who = operator(request)
    if not redactions.end(pk, who=who, workspace=_WORKSPACE):
        raise Http404
    return redirect("/settings/redaction")


def _asked(request: HttpRequest) -> tuple[str, str, Any]:
    """What a rule is by, what it matches, and what it does, as the form says it."""
    what, action = request.POST.get("what", ""), request.POST.get("action", "")
    if what in DETECTORS:
        return "detector", what, action
    return "attribute", request.POST.get("match", "").strip(), action


def _tried(request: HttpRequest, by: str, match: str, action: Any) -> Sample:
    redactions.check(by, match, action)
    redaction = redactions.trial([Rule(number=0, by=by, match=match, action=action)], _WORKSPACE)  # type: ignore[arg-type]
    text = request.POST.get("sample", "").strip()
    if text:
        return of_text(text[:_SAMPLE], redaction)
    try:
        found = wiring.reading().search(Ask(limit=_FACTS, drawn=False, workspace=_WORKSPACE))
    except Unavailable as error:
        raise Rejected(f"no facts to try it on: {error.message}", remedy="paste a sample") from error
    return of_facts(found.facts, redaction)


def _page(
    request: HttpRequest, *, sample: Sample | None = None, problem: Rejected | None = None, status: int = 200
) -> HttpResponse:
    rows = RedactionRule.objects.filter(workspace=_WORKSPACE).order_by("-ended", "pk")[:500]
    context: dict[str, Any] = {
        "frame": frame(request, "senders", "Redaction"),
        "problem": problem,
        "sample": sample,
        "asked": request.POST if problem or sample else {},
        **redaction_page(list(rows)),
    }
    return render(request, "timeline/redaction.html", context, status=status)
