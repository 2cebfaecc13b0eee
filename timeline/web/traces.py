"""The pages of one trace, and what they ask for as they are looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from timeline import wiring
from timeline.web import words
from timeline.web.contexts.folding import places, ranges
from timeline.web.contexts.frame import frame
from timeline.web.contexts.sequence import sequence_view
from timeline.web.contexts.trace import KEPT, Asked, axis_context, panel_of, trace_page
from timeline.web.contexts.waterfall import found, lines, listed
from timeline.web.export_html import drawing_style
from timeline.web.held import Held, shelf
from timeline.web.pages import answered, error_page

MOST_ROWS = 400  # in one answer


def _params(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET[name] for name in KEPT if request.GET.get(name)}


def _unknown(request: HttpRequest, trace_id: str) -> HttpResponse:
    return error_page(
        request,
        404,
        "Nothing of this trace was seen.",
        detail=f"No span or event names the trace {trace_id[:40]}.",
        remedy="Paste the id into the box: the search says whether that is proof that it never came.",
    )


@require_safe
@answered
def trace(request: HttpRequest, trace_id: str) -> HttpResponse:
    """``/traces/<id>``: one trace as waterfall, or as ``?view=`` ``sequence``, ``table`` or ``graph``."""
    answer = wiring.reading().trace(trace_id)
    if answer is None:
        return _unknown(request, trace_id)
    held = shelf.put(answer)
    context = {"frame": frame(request, "trace", "Trace"), **trace_page(held, _params(request))}
    return render(request, "timeline/trace.html", context)


@require_safe
@answered
def sequence_svg(request: HttpRequest, trace_id: str) -> HttpResponse:
    """``/traces/<id>/sequence.svg``: the whole sequence diagram as a drawing of its own."""
    answer = wiring.reading().trace(trace_id)
    if answer is None:
        return _unknown(request, trace_id)
    asked = Asked(shelf.put(answer), _params(request))
    view = sequence_view(answer, asked.drawn, asked.hues, asked.params, offline=True)
    context = {"sequence": view, "offline": True, "style": drawing_style(), "trace_id": answer.trace_id}
    response = render(request, "timeline/sequence.svg", context, content_type="image/svg+xml")
    response.headers["Content-Disposition"] = (
        f'attachment; filename="throughline-sequence-{answer.trace_id[:32]}.svg"'
    )
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return response


@require_safe
@answered
def trace_rows(request: HttpRequest, trace_id: str) -> HttpResponse:
    """``/traces/<id>/rows``: a part of the picture that ``as_of`` names.

    ``part`` is ``shape`` (the tree as numbers), ``rows`` (markup of the places in ``at``), ``find`` (the
    places that hold ``find``), ``axis`` (markup of the axis as ``zoom`` cuts it) or ``panel`` (markup for
    the fact ``span``). 409 where the trace has changed since: its page is to be opened anew.
    """
    part = _PARTS.get(request.GET.get("part", "shape"))
    if part is None:
        return HttpResponse("no such part", status=400, content_type="text/plain")
    mark = request.GET.get("as_of", "")[:40]
    held = shelf.get(trace_id, mark, wiring.reading().trace)
    if held is None:
        return HttpResponse(status=404)
    if mark and held.mark != mark:
        return HttpResponse("the trace has changed", status=409, content_type="text/plain")
    return part(request, held)


def _json(value: Any) -> HttpResponse:
    return HttpResponse(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS), content_type="application/json")


def _shape(request: HttpRequest, held: Held) -> HttpResponse:
    asked = Asked(held, {name: value for name, value in _params(request).items() if name != "find"})
    kin = asked.drawn.tree
    return _json(
        {
            "depths": kin.depths,
            "folded": ranges(sorted(kin.folded)),
            "closed": ranges(sorted(asked.closed)),
            "out": ranges(place for place, node in enumerate(kin.nodes) if node.lane in asked.hidden),
            "breaks": asked.drawn.breaks,
        }
    )


def _rows(request: HttpRequest, held: Held) -> HttpResponse:
    asked = Asked(held, _params(request))
    wanted = places(request.GET.get("at", ""), len(asked.drawn.tree.nodes), MOST_ROWS)
    numbers = lines(asked.drawn, wanted, 0, MOST_ROWS)
    context = {"rows": listed(asked.rows(), numbers, asked.params, asked.path)}
    return render(request, "timeline/_waterfall_rows.html", context)


def _find(request: HttpRequest, held: Held) -> HttpResponse:
    wanted = request.GET.get("find", "").strip()[:200]
    hits = found(held.drawn(_params(request)), wanted) if wanted else frozenset()
    return _json({"count": len(hits), "said": words.count(len(hits)), "at": ranges(sorted(hits))})


def _axis(request: HttpRequest, held: Held) -> HttpResponse:
    return render(request, "timeline/_waterfall_axis.html", axis_context(Asked(held, _params(request))))


def _panel(request: HttpRequest, held: Held) -> HttpResponse:
    asked = Asked(held, _params(request))
    panel = panel_of(held.answer, request.GET.get("span", ""), asked.back)
    if panel is None:
        return HttpResponse(status=404)
    return render(request, "timeline/_panel.html", panel)


_PARTS: dict[str, Callable[[HttpRequest, Held], HttpResponse]] = {
    "shape": _shape,
    "rows": _rows,
    "find": _find,
    "axis": _axis,
    "panel": _panel,
}
