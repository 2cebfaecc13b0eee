"""Files to take away: streamed, stating what was asked, what it rests on and whether it is whole."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from timeline import redactions, wiring
from timeline.answers import EntityAnswer, SearchAnswer, TraceAnswer
from timeline.domain import Stored, Timeline
from timeline.errors import BadQuery
from timeline.export.mermaid import mermaid
from timeline.export.writers import Header, write_csv, write_json, write_ndjson
from timeline.models import Audit
from timeline.rebuild.sequence import sequence
from timeline.rebuild.waterfall import waterfall
from timeline.web import problems
from timeline.web.asked import ask_of, beside_of, entity_of, window_of
from timeline.web.export_html import render

HTML_LIMIT = 10_000  # facts in an HTML file; the other formats hold every one
_TYPES = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "mermaid": "text/plain; charset=utf-8",
}


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What is being taken away, ready for any format."""

    header: Header
    answer: SearchAnswer | TraceAnswer | EntityAnswer
    facts: Callable[[], Iterable[Stored]]
    story: Timeline | None = None


def export(request: HttpRequest, what: str, form: str) -> HttpResponseBase:
    """``search`` (``q``, range), ``trace`` (``id``) or ``entity`` (``entity``, range) as
    ``json``, ``ndjson``, ``csv`` or ``html``; a trace also as ``mermaid``. Raises ``BadQuery`` for
    anything else."""
    if form not in _TYPES:
        raise BadQuery(f"{form[:40]!r} is not a format", remedy=f"format is one of {', '.join(_TYPES)}")
    makers = {"search": _search, "trace": _trace, "entity": _entity}
    if what not in makers:
        raise BadQuery(f"{what[:40]!r} cannot be exported", remedy=f"it is one of {', '.join(makers)}")
    if form == "mermaid" and what != "trace":
        raise BadQuery("only a trace is a sequence diagram", remedy="take another format, or a trace")
    taken = makers[what](request)
    if taken is None:
        return problems.problem(
            404, "Nothing to take away", "nothing of it was seen in this range", remedy="widen the range"
        )
    response = StreamingHttpResponse(_audited(request, taken, form), content_type=_TYPES[form])
    name = re.sub(r"[^A-Za-z0-9]+", "-", taken.header.subject.removeprefix("trace:")).strip("-")[:60] or "all"
    response.headers["Content-Disposition"] = f'attachment; filename="throughline-{what}-{name}.{form}"'
    if form == "html":
        # opened from here it must stay as closed as it is offline: no scripts, its own styles only
        response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return response


def _search(request: HttpRequest) -> Taken | None:
    desk = wiring.reading()
    ask = ask_of({**request.GET.dict(), "limit": "1", "cursor": ""})
    ask = msgspec.structs.replace(ask, drawn=False)
    answer = desk.search(ask)
    # the window that found something: what was received in the range may carry another time
    ask = msgspec.structs.replace(ask, window=answer.window)
    header = _header("search", ask.text, answer)
    return Taken(header=header, answer=answer, facts=lambda: desk.matches(ask))


def _trace(request: HttpRequest) -> Taken | None:
    asked = request.GET.get("id", "")
    if not asked:
        raise BadQuery("which trace to take away is not said", remedy="give its 32 hex digits as id=")
    answer = wiring.reading().trace(asked)
    if answer is None:
        return None
    return Taken(
        header=_header("trace", f"trace:{answer.trace_id}", answer),
        answer=answer,
        facts=lambda: answer.facts,
        story=answer.timeline,
    )


def _entity(request: HttpRequest) -> Taken | None:
    entity = entity_of(request.GET.get("entity", ""))
    context, expand = (request.GET.get(name, "") in ("1", "true") for name in ("context", "expand"))
    answer = wiring.reading().entity(
        entity,
        window_of(request.GET, default=None),
        context=context,
        expand=expand,
        beside=beside_of(request.GET),
    )
    if answer is None:
        return None
    return Taken(
        header=_header("entity", str(entity), answer),
        answer=answer,
        facts=lambda: answer.facts,
        story=answer.timeline,
    )


def _header(kind: str, subject: str, answer: SearchAnswer | TraceAnswer | EntityAnswer) -> Header:
    notes = list(answer.partial)
    complete = not answer.partial
    if not isinstance(answer, SearchAnswer):
        story = answer.timeline
        complete = complete and story.complete and not story.truncated
        notes.extend(f"the parent span {ref.span_id} was never received" for ref in story.missing[:100])
        if story.truncated:
            notes.append(f"{story.truncated:,} facts beyond the limit are not in this file")
    return Header(
        kind=kind,
        subject=subject,
        made_at=time.time_ns(),
        coverage=answer.coverage,
        window=answer.coverage.window,
        verdict=answer.verdict.sentence if isinstance(answer, SearchAnswer) else "",
        complete=complete,
        notes=tuple(notes),
    )


def _audited(request: HttpRequest, taken: Taken, form: str) -> Iterator[bytes]:
    """The file, and afterwards who took how much of what."""
    count = 0

    def counted() -> Iterator[Stored]:
        nonlocal count
        for stored in taken.facts():
            count += 1
            yield stored

    try:
        yield from _written(taken, counted(), form)
    finally:
        who = (
            request.user.get_username()
            if request.user.is_authenticated
            else str(getattr(request, "auth", "a token"))
        )
        Audit.objects.create(
            who=who[:150],
            what="export",
            detail=redactions.unsaid(f"{form} of {taken.header.kind} {taken.header.subject}")[:1000],
            rows=count,
        )


def _sequence(answer: SearchAnswer | TraceAnswer | EntityAnswer, facts: Iterator[Stored]) -> bytes:
    """The sequence of a trace as Mermaid text; says at its top what it leaves out."""
    assert isinstance(answer, TraceAnswer)  # noqa: S101 - export() lets no other come here
    drawn = waterfall(answer.timeline, facts, fold_waits=False)
    found = sequence(answer.timeline, drawn.facts, drawn.scale, answer.linked)
    note = f"%% trace {answer.trace_id}: {found.folded} spans stand inside handlings\n"
    return (note + mermaid(found, answer.timeline)).encode()


def _written(taken: Taken, facts: Iterator[Stored], form: str) -> Iterator[bytes]:
    if form == "json":
        yield from write_json(taken.header, facts, taken.story)
    elif form == "ndjson":
        yield from write_ndjson(taken.header, facts, taken.story)
    elif form == "csv":
        yield from write_csv(taken.header, facts)
    elif form == "mermaid":
        yield _sequence(taken.answer, facts)
    else:
        held = tuple(itertools.islice(facts, HTML_LIMIT))
        header = taken.header
        if len(held) == HTML_LIMIT and next(facts, None) is not None:
            note = f"only the first {HTML_LIMIT:,} facts are in this file; JSON, NDJSON and CSV hold them all"
            header = msgspec.structs.replace(header, complete=False, notes=(*header.notes, note))
        yield render(taken.answer, header, held).encode()
