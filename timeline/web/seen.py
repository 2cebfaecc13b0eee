"""Many ids at once: a verdict for each, and the missing ones to take away."""

from __future__ import annotations

import csv
import io
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from timeline import wiring
from timeline.answers import IdVerdict, SeenAnswer
from timeline.errors import BadQuery, TooLarge
from timeline.export.values import cell
from timeline.models import Audit
from timeline.web import colours, words
from timeline.web.asked import window_of
from timeline.web.contexts.frame import frame, link
from timeline.web.contexts.search import SEALS, coverage_lines
from timeline.web.pages import answered

MOST = 10_000
LONGEST = 1_024
SHOWN = 1_000
FILE_LIMIT = 8 << 20
RANGES = (("all", "All that is held"), ("24h", "Last 24 h"), ("7d", "Last 7 days"))


def ids_of(text: str) -> list[str]:
    """The ids in pasted lines or CSV: the first cell of each line, once each, in order."""
    rows = csv.reader(io.StringIO(text), skipinitialspace=True)
    try:
        cells = [row[0].strip() for row in rows if row]
    except csv.Error:
        cells = [line.strip() for line in text.splitlines()]
    if len(cells) == 1:
        cells = [part.strip().strip('"') for part in text.replace(";", ",").replace("\t", ",").split(",")]
    found = list(dict.fromkeys(filter(None, cells)))
    if len(found) > MOST:
        raise TooLarge(
            f"{len(found):,} ids are more than {MOST:,} at once",
            remedy="Send them in parts, or by POST /api/v1/seen.",
        )
    if any(len(each) > LONGEST for each in found):
        raise BadQuery(f"an id is longer than {LONGEST:,} characters", remedy="Give one identifier a line.")
    return found


@require_http_methods(["GET", "HEAD", "POST"])
@answered
def seen(request: HttpRequest) -> HttpResponse:
    """``/seen``: the form; with ids, a verdict each; with ``take``, the missing as a file."""
    text = request.POST.get("ids", "") if request.method == "POST" else request.GET.get("ids", "")
    upload = request.FILES.get("file")
    if upload is not None:
        if (upload.size or 0) > FILE_LIMIT:
            raise TooLarge("the file is larger than 8 MiB", remedy="One id a line is enough.")
        text = upload.read().decode("utf-8-sig", errors="replace")
    chosen = request.POST.get("range", request.GET.get("range", "all"))
    page: dict[str, Any] = {
        "frame": frame(request, "seen", "Check many ids", q=""),
        "text": text,
        "ranges": RANGES,
        "range": chosen,
    }
    ids = ids_of(text)
    if not ids:
        return render(request, "timeline/seen.html", page)
    reading = wiring.reading()
    window = None if chosen == "all" else window_of({"range": chosen})
    answer = reading.seen(ids, window)
    take = request.POST.get("take", "")
    if take in ("csv", "json"):
        found = _missing(answer, take)
        detail = f"{take} of ids not seen, {len(ids):,} asked"
        Audit.objects.create(
            who=request.user.get_username(), what="export", detail=detail, rows=len(ids) - answer.seen
        )
        return found
    return render(request, "timeline/seen.html", {**page, **_context(answer)})


def _missing(answer: SeenAnswer, form: str) -> HttpResponse:
    missing = [one for one in answer.verdicts if one.verdict.kind != "seen"]
    if form == "json":
        listed = [
            {"id": one.id, "verdict": one.verdict.kind, "sentence": one.verdict.sentence} for one in missing
        ]
        body = orjson.dumps({"missing": listed, "up_to": words.iso(answer.coverage.up_to)})
        response = HttpResponse(body, content_type="application/json")
    else:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(["id", "verdict", "sentence"])
        writer.writerows([cell(one.id), one.verdict.kind, cell(one.verdict.sentence)] for one in missing)
        response = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="throughline-missing.{form}"'
    return response


def _context(answer: SeenAnswer) -> dict[str, Any]:
    total = len(answer.verdicts)
    missing = [one for one in answer.verdicts if one.verdict.kind != "seen"]
    rest = [one for one in answer.verdicts if one.verdict.kind == "seen"]
    hues = colours.assign(one.newest.service for one in answer.verdicts if one.newest)
    said = [f"{answer.seen:,} of {total:,} seen"]
    said += [f"{answer.not_seen:,} not seen"] if answer.not_seen else []
    said += [f"cannot say for {answer.cannot_say:,}"] if answer.cannot_say else []
    return {
        "answer": answer,
        "sentence": f"{', '.join(said)}, up to {words.clock(answer.coverage.up_to)} UTC.",
        "tone": "amber" if answer.cannot_say else "green" if not answer.not_seen else "",
        "icon": "triangle-alert"
        if answer.cannot_say
        else "circle-check"
        if not answer.not_seen
        else "circle-slash",
        "missing": len(missing),
        "lines": [_line(one, hues) for one in [*missing, *rest][:SHOWN]],
        "cut": max(0, total - SHOWN),
        "coverage": coverage_lines(answer.coverage),
    }


def _line(one: IdVerdict, hues: dict[str, int]) -> dict[str, Any]:
    row = one.newest
    return {
        "id": one.id,
        "href": link("/search", {}, q=one.id, range="all"),
        "verdict": one.verdict,
        "seal": SEALS[one.verdict.kind],
        "newest": row,
        "newest_href": f"/facts/{row.id}" if row else "",
        "name": (row.type or row.name) if row else "",
        "service": row.service if row else "",
        "hue": hues.get(row.service, 0) if row else 0,
    }
