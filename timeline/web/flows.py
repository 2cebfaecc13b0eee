"""``/flows``: what flows between services, and one destination looked at closely."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from timeline import wiring
from timeline.web.asked import window_of
from timeline.web.contexts.flows import KEPT, destination_page, flows_page
from timeline.web.contexts.frame import frame
from timeline.web.pages import answered, error_page


@require_safe
@answered
def flows(request: HttpRequest) -> HttpResponse:
    """``/flows``: every service, every destination, and how well messages get from one to the next."""
    params = {name: request.GET[name] for name in KEPT if request.GET.get(name)}
    page = flows_page(wiring.reading().flows(window_of(request.GET)), params)
    return render(request, "timeline/flows.html", {"frame": frame(request, "flows", "Flows"), **page})


@require_safe
@answered
def destination(request: HttpRequest, name: str) -> HttpResponse:
    """``/flows/<destination>``: its partitions, keys, producers, consumers, versions and sizes."""
    params = {key: request.GET[key] for key in KEPT if request.GET.get(key)}
    answer = wiring.reading().destination(name, window_of(request.GET))
    if answer is None:
        return error_page(
            request,
            404,
            f"Nothing is known of {name} in this range.",
            detail="A topic, queue or stream is known by the spans of those who send to it and take from it.",
            remedy="Widen the range, or look at all flows.",
        )
    context = {"frame": frame(request, "flows", name), **destination_page(answer, params)}
    return render(request, "timeline/destination.html", context)
