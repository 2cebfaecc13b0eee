"""The way in, for those who run it: senders, nodes, inbox, refusals."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from timeline import wiring
from timeline.models import AccessCheck, Audit, Sender
from timeline.web.contexts.frame import frame
from timeline.web.contexts.senders import senders_page
from timeline.web.pages import answered
from timeline.web.readers import operator

_WORKSPACE = "main"


@require_safe
@answered
def senders(request: HttpRequest) -> HttpResponse:
    """``/senders``: who sends, what waits, what was refused and set aside."""
    context = {"frame": frame(request, "senders", "Senders"), **senders_page(wiring.reading().senders())}
    context["access"] = AccessCheck.objects.order_by("-at")[:10]
    context["may_declare"] = isinstance(request.user, User) and request.user.is_staff
    return render(request, "timeline/senders.html", context)


@require_POST
@answered
def declare(request: HttpRequest) -> HttpResponse:
    """``/senders/declare``: an operator states that a service sends everything, or takes it back."""
    who = operator(request)
    service, complete = request.POST.get("service", ""), request.POST.get("complete") == "1"
    found = Sender.objects.filter(workspace=_WORKSPACE, service=service)
    by = who if complete else ""
    changed = found.update(complete=complete, declared_by=by)
    if not changed:
        raise Http404
    what = "declare complete" if complete else "withdraw complete"
    Audit.objects.create(who=who, what=what, detail=service, rows=changed)
    return redirect("/senders#senders")
