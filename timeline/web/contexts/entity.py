"""The entity page: a sentence, the steps it took, lanes by service, and the log below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timeline.answers import EntityAnswer
from timeline.rebuild.lanes import lanes
from timeline.web import colours, words
from timeline.web.contexts.frame import entity_path, link
from timeline.web.contexts.lanes import drawing
from timeline.web.contexts.marks import along
from timeline.web.contexts.search import coverage_lines, exports
from timeline.web.contexts.skew import clocks_said
from timeline.web.contexts.story import axis, findings, log_lines, opened

KEPT = (
    "q",
    "from",
    "to",
    "range",
    "sort",
    "fold",
    "waits",
    "open",
    "view",
    "context",
    "expand",
    "with",
    "compare",
    "sel",
    "start",
)
LOG_ROWS = 500
STEPS = 7


def entity_page(answer: EntityAnswer, params: Mapping[str, str]) -> dict[str, Any]:
    """Everything the entity template shows."""
    timeline, path = answer.timeline, entity_path(str(answer.entity))
    back = {name: value for name, value in params.items() if name in ("q", "from", "to", "range", "sort")}
    folded, folded_waits = params.get("fold") != "0", params.get("waits") != "0"
    drawn = lanes(timeline, answer.facts, fold=folded, fold_waits=folded_waits, keep=opened(params))
    hues = colours.assign(lane.service for lane in drawn.lanes)
    selected = params.get("sel", "")
    repeated = frozenset(bar.fact for lane in drawn.lanes for bar in lane.bars if bar.duplicate)
    repeated |= frozenset(mark.fact for lane in drawn.lanes for mark in lane.marks if mark.duplicate)
    log = log_lines(timeline, answer.facts, hues, back, repeated)
    first = int(params["start"]) if params.get("start", "").isdecimal() else 0
    traces = {stored.fact.ref.trace_id for stored in answer.facts if stored.fact.ref}
    times = [entry.at for entry in answer.own.entries if entry.at is not None]
    variants = sum(stored.receipt.variant for stored in answer.facts)  # a search counts them apart, too
    last = max(
        [entry.until or entry.at for entry in answer.own.entries if entry.at is not None], default=None
    )
    return {
        "answer": answer,
        "entity": str(answer.entity),
        "timeline": timeline,
        "sentence": sentence(answer),
        "steps": steps(answer),
        "first_at": min(times, default=None),
        "quiet": answer.coverage.now - last if last is not None else None,
        "facts": len(answer.facts) - variants,
        "variants": variants,
        "services": len(timeline.services),
        "traces": len(traces),
        "trace_href": link(f"/traces/{next(iter(traces))}", back) if len(traces) == 1 else "",
        "search_href": link("/search", back, q=str(answer.entity)),
        "related": _related(answer, params, path, back),
        "beside": [str(other) for other in answer.beside],
        "hues": hues,
        "compare_with": params.get("compare", ""),
        "kept": {name: value for name, value in params.items() if name not in ("compare", "sel", "start")},
        "clocks": clocks_said(timeline),
        "findings": findings(timeline.findings, back),
        "axis": axis(drawn.scale, params, path, apart=96),
        "drawing": drawing(drawn, hues, back, selected),
        "markers": along(drawn.scale, timeline.services),
        "lines": log if params.get("whole") else log[first : first + LOG_ROWS],
        "next_href": link(path, params, start=first + LOG_ROWS) if first + LOG_ROWS < len(log) and not params.get("whole") else "",
        "first_href": link(path, params, start=None) if first else "",
        "folded": folded,
        "folded_waits": folded_waits,
        "with_context": params.get("context") == "1",
        "expanded": params.get("expand") == "1",
        **_ways(params, path, folded=folded, folded_waits=folded_waits),
        "coverage": coverage_lines(answer.coverage),
        "exports": exports("entity", {"entity": str(answer.entity), **{name: params[name] for name in ("from", "to", "range", "context", "expand", "with") if name in params}}),
        "selected": selected,
        "missing": timeline.missing,
    }  # fmt: skip


def _ways(params: Mapping[str, str], path: str, *, folded: bool, folded_waits: bool) -> dict[str, Any]:
    """What the buttons above the drawing lead to."""
    return {
        "fold_href": link(path, params, fold="0" if folded else None, open=None),
        "waits_href": link(path, params, waits="0" if folded_waits else None, open=None),
        "context_href": link(path, params, context=None if params.get("context") == "1" else "1"),
        "expand_href": link(path, params, expand=None if params.get("expand") == "1" else "1"),
        "log_only": params.get("view") == "log",
        "lanes_href": link(path, params, view=None),
        "log_href": link(path, params, view="log"),
    }


def _related(
    answer: EntityAnswer, params: Mapping[str, str], path: str, back: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The other entities on its facts; each can be shown beside it, or taken out again."""
    beside = [str(other) for other in answer.beside]
    counts = dict(answer.related)
    shown = []
    for name in dict.fromkeys((*beside, *counts)):
        others = [other for other in beside if other != name] + ([] if name in beside else [name])
        shown.append(
            {
                "name": name,
                "count": counts.get(name, 0),
                "href": link(entity_path(name), back),
                "shown": name in beside,
                "toggle": link(path, params, **{"with": ",".join(others), "sel": None, "start": None}),
            }
        )
    return shown


def sentence(answer: EntityAnswer) -> str:
    """Where it stands, and what went wrong, as far as the facts prove."""
    timeline = answer.own
    placed = [entry for entry in timeline.entries if entry.at is not None and "context" not in entry.badges]
    events = [entry for entry in placed if entry.kind == "event"]
    last = max(events or placed, key=lambda entry: entry.at or 0, default=None)
    if last is None:
        return f"{answer.entity} was named, but by nothing with a time."
    said = (
        f"{answer.entity} reached {last.what}"
        if events
        else f"{answer.entity} was last in {last.what} of {last.lane or 'an unnamed service'}"
    )
    said += f" at {words.clock(last.at)} UTC"
    wrong = []
    rules = {finding.rule for finding in timeline.findings}
    if "duplicate" in rules:
        wrong.append("handled more than once")
    failed = sum(1 for entry in placed if entry.status == "error")
    if failed:
        wrong.append(f"{failed:,} failed")
    untaken = sum(1 for hop in timeline.hops if hop.outcome == "unconsumed")
    if untaken:
        wrong.append("a message was not taken" if untaken == 1 else f"{untaken:,} messages were not taken")
    return f"{said}{', ' + ', '.join(wrong) if wrong else ''}."


def steps(answer: EntityAnswer) -> dict[str, Any]:
    """Event types in the order they were first reached, with how often."""
    reached: dict[str, list[int]] = {}
    for entry in answer.own.entries:
        if entry.kind == "event" and entry.at is not None and "context" not in entry.badges:
            reached.setdefault(entry.what, []).append(entry.at)
    found = [{"what": what, "at": times[0], "count": len(times)} for what, times in reached.items()]
    last = max(range(len(found)), key=lambda place: reached[str(found[place]["what"])][-1], default=-1)
    return {
        "shown": [{**step, "last": place == last} for place, step in enumerate(found)][:STEPS],
        "more": max(0, len(found) - STEPS),
    }
