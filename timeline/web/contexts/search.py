"""The search page: verdict first, what it rests on, chips, facets, histogram, rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timeline.answers import Coverage, SearchAnswer, Suggestion
from timeline.domain import Entity
from timeline.errors import BadQuery
from timeline.search.query import FACETS
from timeline.web import colours, words
from timeline.web.contexts import columns, controls, facets, rows
from timeline.web.contexts.frame import CARRIED, entity_path, link
from timeline.web.contexts.histogram import histogram

SEALS = {
    "seen": {"tone": "green", "icon": "circle-check"},
    "not_seen": {"tone": "", "icon": "circle-slash"},
    "cannot_say": {"tone": "amber", "icon": "triangle-alert"},
}
CAUSE_TITLES = {
    "backlog": "Inbox",
    "refresh": "Being indexed",
    "silent": "Silent node",
    "outage": "Receiver outage",
    "before recording": "Before recording",
    "retention": "Retention",
    "refused": "Refused items",
    "quarantined": "Quarantine",
    "partly indexed": "Partly indexed",
    "failed read": "Failed read",
    "sampled": "Sampling",
    "future": "Not yet",
}
STATE_ICONS = {"ok": "circle-check", "warning": "triangle-alert", "info": "info"}
PASSING = ("backlog", "refresh")  # causes that settle by themselves
LONG = 2_000  # facts from which on an export says how far it is
STRIP = 4  # coverage lines in the strip; the rest are under Details


def search_page(
    answer: SearchAnswer,
    params: Mapping[str, str],
    cookies: Mapping[str, str],
    waits: Mapping[str, int] | None,
) -> dict[str, Any]:
    """Everything the search template shows; ``params`` are all of the page's own, ``waits`` as for rows."""
    services = [row.service for row in answer.rows if row.service]
    services += [value.value for facet in answer.facets if facet.field == "service" for value in facet.values]
    hues = colours.assign(services)
    asked = controls.asked(params)  # what the links of this page keep
    view = columns.chosen(params, cookies)
    shown = rows.lines(
        answer.rows,
        {name: params[name] for name in ("q", *CARRIED) if name in params},
        hues,
        by_time=answer.order != "longest",
    )
    return {
        "answer": answer,
        "services_said": _services_said(answer),
        "verdict": answer.verdict,
        "seal": SEALS[answer.verdict.kind],
        "coverage": coverage_lines(answer.coverage),
        "causes": causes(answer),
        "settles": any(cause.kind in PASSING for cause in answer.verdict.causes),
        "progress": _progress(answer.coverage),
        "chips": [{"label": chip.label, "value": chip.value, "negated": chip.negated, "href": link("/search", asked, q=chip.without or "*")} for chip in answer.chips],
        "readings": [{"label": reading.label, "text": reading.text, "count": reading.count, "href": link("/search", asked, q=reading.text)} for reading in answer.readings if reading.label != answer.understood],
        "facets": facets.listed(answer, params, hues),
        "facet_key": params.get("more", "") if params.get("more", "") not in FACETS else "",
        "histogram": histogram(answer, asked),
        "lines": rows.with_cells(shown, answer.facts, view["columns"], params, answer.coverage.now, waits),
        "column_count": len(view["columns"]) + 1,
        "suggestions": [_suggestion(suggestion, asked) for suggestion in answer.suggestions],
        "instead": [rows.row_line(row, {name: params[name] for name in CARRIED if name in params}, colours.assign(row.service for row in answer.instead if row.service)) for row in answer.instead],
        "instead_of": _suggestion(answer.instead_of, asked) if answer.instead_of else None,
        "next_href": link("/search", params, cursor=answer.next, fact=None) if answer.next else "",
        "first_href": link("/search", params, cursor=None) if params.get("cursor") else "",
        "exports": exports("search", {name: asked[name] for name in ("q", *CARRIED) if name in asked}, answer.total.value + answer.total.variants),
        "doors": _doors(answer, params),
        "as_text": params.get("view") == "text",
        "chips_href": link("/search", params, view=None),
        "text_href": link("/search", params, view="text"),
        "by_time": answer.window.on,
        "view": view,
        **controls.page_controls(answer, params, view),
    }  # fmt: skip


def _services_said(answer: SearchAnswer) -> str:
    counted = next((len(facet.values) for facet in answer.facets if facet.field == "service"), 0)
    traces = len({row.trace_id for row in answer.rows if row.trace_id})
    said = [words.plural(counted, "service") if counted < 10 else "10 or more services"] if counted else []
    if traces and answer.next is None:
        said.append(words.plural(traces, "trace"))
    return f"from {' in '.join(said)}" if said else ""


def coverage_lines(coverage: Coverage) -> dict[str, Any]:
    """The strip and the whole list of what an answer rests on."""
    every = [
        {"topic": line.topic, "state": line.state, "icon": STATE_ICONS[line.state], "sentence": line.sentence}
        for line in coverage.lines
    ]
    return {
        "strip": every[:STRIP],
        "lines": every,
        "assumptions": coverage.assumptions,
        "up_to": coverage.up_to,
    }


def causes(answer: SearchAnswer) -> list[dict[str, Any]]:
    """Why absence is not proven, each with what would settle it."""
    return [
        {
            "title": CAUSE_TITLES[cause.kind],
            "sentence": cause.sentence,
            "remedy": cause.remedy,
            "href": cause.link,
        }
        for cause in answer.verdict.causes
    ]


def _progress(coverage: Coverage) -> dict[str, Any] | None:
    if not coverage.pending_requests:
        return None
    said = words.plural(coverage.pending_requests, "request") + " to go"
    return {"pending": coverage.pending_requests, "said": said}


def _suggestion(suggestion: Suggestion, params: Mapping[str, str]) -> dict[str, Any]:
    changes: dict[str, Any] = {"cursor": None}
    if suggestion.text:
        changes["q"] = suggestion.text
    if suggestion.start is not None or suggestion.end is not None:
        changes |= {"from": words.iso(suggestion.start), "to": words.iso(suggestion.end), "range": None}
    icon = "move-horizontal" if "from" in changes else "list" if suggestion.text else "arrow-right"
    return {
        "label": suggestion.label,
        "href": suggestion.href or link("/search", params, **changes),
        "count": suggestion.count,
        "icon": icon,
    }


def exports(what: str, params: Mapping[str, str], facts: int = 0) -> list[dict[str, Any]]:
    """The export menu of a search, trace or entity; of many ``facts`` with how far an export is."""
    kinds = (
        ("html", "One HTML file", "opens offline", "file-text"),
        ("csv", "CSV", "for a spreadsheet", "columns-3"),
        ("json", "JSON", "with coverage", "braces"),
        ("ndjson", "NDJSON", "a fact a line", "braces"),
    )
    path = f"/api/v1/export/{what}"
    return [
        {
            "label": label,
            "note": note,
            "icon": icon,
            "href": link(path, params, format=key, cursor=None, view=None),
            "facts": facts if facts > LONG and key != "html" else 0,
        }
        for key, label, note, icon in kinds
    ]


def _doors(answer: SearchAnswer, params: Mapping[str, str]) -> dict[str, str]:
    """The timeline and the trace that the answer is about, where it is about one."""
    found: dict[str, str] = {}
    named = [chip.value for chip in answer.chips if chip.label == "entity" and not chip.negated]
    if len(named) == 1:
        try:
            Entity.parse(named[0])
            found["timeline"] = link(entity_path(named[0]), params)
            found["story"] = link("/api/v1/export/entity", {}, entity=named[0], format="html")
            found["entity"] = named[0]
        except ValueError:
            pass
    traces = {row.trace_id for row in answer.rows if row.trace_id}
    if answer.rows and len(traces) == 1:
        found["trace"] = link(f"/traces/{traces.pop()}", params)
    return found


def syntax_error(error: BadQuery, text: str) -> dict[str, Any]:
    """The query cut at the column that the error points at."""
    column = error.column
    if column is None:
        return {"message": error.message, "remedy": error.remedy, "column": None, "text": text}
    spot = min(max(column - 1, 0), len(text))
    return {
        "message": error.message,
        "remedy": error.remedy,
        "column": column,
        "before": text[:spot],
        "spot": text[spot : spot + 1] or " ",
        "after": text[spot + 1 :],
    }
