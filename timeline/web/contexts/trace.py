"""The trace page: what it says, its waterfall or another view of it, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from timeline.answers import FactAnswer, TraceAnswer
from timeline.domain import Entry, Timeline
from timeline.rebuild.scale import Scale
from timeline.rebuild.waterfall import Waterfall
from timeline.web import colours, words
from timeline.web.contexts.fact import fact_page
from timeline.web.contexts.flow import flow_view
from timeline.web.contexts.folding import closed_rows
from timeline.web.contexts.frame import link
from timeline.web.contexts.marks import along
from timeline.web.contexts.search import coverage_lines, exports
from timeline.web.contexts.sequence import sequence_view
from timeline.web.contexts.story import axis, findings, log_lines, x
from timeline.web.contexts.ties import linked_lines, missing_lines
from timeline.web.contexts.waterfall import WHOLE, Rows, Zoom, found, lines, listed, minimap
from timeline.web.held import Held

FIRST_ROWS = 400  # up to so many rows all come with the page
SCREENS = 80  # rows of a longer trace that come with the page; others are fetched when they are looked at
WHOLE_ROWS = 5_000  # rows of a file to take away
BACK = ("q", "from", "to", "range", "sort")
KEPT = (*BACK, "find", "fold", "waits", "open", "view", "span", "start", "closed", "hide", "zoom", "critical")  # fmt: skip
VIEWS = {"": "waterfall", "sequence": "sequence", "graph": "graph", "table": "table"}


class Asked:
    """What a URL asks of one picture, read once for the page and for what it fetches."""

    def __init__(self, held: Held, params: Mapping[str, str]) -> None:
        answer = held.answer
        self.held, self.params = held, params
        self.path = f"/traces/{answer.trace_id}"
        self.back = {name: value for name, value in params.items() if name in BACK}
        self.drawn = held.drawn(params)
        self.hues = colours.assign(answer.timeline.services)
        self.find = params.get("find", "").strip()[:200]
        self.matches = found(self.drawn, self.find) if self.find else None
        self.closed = closed_rows(self.drawn.tree, held.mark, params.get("closed", ""))
        self.hidden = hidden_services(params.get("hide", ""), answer.timeline.services)
        self.zoom = zoom_of(self.drawn.scale, params.get("zoom", ""))
        self.selected = _selected(answer, self.drawn, params)
        self.shown = self.drawn.tree.shown(self.closed, self.hidden)

    def rows(self) -> Rows:
        """The maker of rows for this URL."""
        return Rows(
            self.held.answer, self.drawn, self.hues, closed=self.closed, hidden=self.hidden, matches=self.matches, selected=self.selected,
            zoom=self.zoom, path=self.params.get("critical") != "0",
        )  # fmt: skip


def hidden_services(text: str, services: tuple[str, ...]) -> frozenset[str]:
    """The services that a URL leaves out; all of them would leave nothing, and are none."""
    wanted = {unquote(name) for name in text.split(",") if name} & set(services)
    return frozenset(wanted) if len(wanted) < len(set(services)) else frozenset()


def hiding(names: frozenset[str]) -> str:
    """These services as a URL leaves them out."""
    return ",".join(quote(name, safe="") for name in sorted(names))


def zoom_of(scale: Scale, text: str) -> Zoom:
    """``<ns>-<ns>`` as a part of the axis; all of it where the text is none or nothing would be seen."""
    low, _, high = text.partition("-")
    if not (low.isdecimal() and high.isdecimal() and len(low) < 20 and len(high) < 20):
        return WHOLE
    left, right = scale.x(int(low)), scale.x(int(high))
    return (left, right) if right - left >= 0.001 else WHOLE


def trace_page(held: Held, params: Mapping[str, str], *, offline: bool = False) -> dict[str, Any]:
    """Everything the trace template shows; ``offline`` is for a file, which has every view."""
    answer, asked = held.answer, Asked(held, params)
    timeline, drawn = answer.timeline, asked.drawn
    view = VIEWS.get(params.get("view", ""), "waterfall")
    shown = {
        "answer": answer,
        "timeline": timeline,
        "sentence": sentence(timeline, drawn),
        "mark": held.mark,
        "services": services(asked),
        "hues": asked.hues,
        "spans": sum(1 for entry in timeline.entries if entry.kind == "span"),
        "events": sum(1 for entry in timeline.entries if entry.kind == "event"),
        "messages": len({(hop.destination, hop.partition, hop.offset, hop.event) for hop in timeline.hops}),
        "hops": len(timeline.hops),
        "open_hops": sum(1 for hop in timeline.hops if hop.outcome in ("unconsumed", "in flight")),
        "depth": drawn.tree.deepest,
        "linked": linked_lines(answer, asked.back),
        "linked_count": len({one.trace_id for one in answer.linked} | set(timeline.linked)),
        "missing": missing_lines(answer, asked.back),
        "findings": findings(timeline.findings, asked.back),
        "view": view,
        "views": _views(asked, view),
        "coverage": coverage_lines(answer.coverage),
        "exports": exports("trace", {"id": answer.trace_id}),
        "selected": asked.selected,
        "start_at": drawn.scale.start,
        "markers": along(drawn.scale, timeline.services),
        **_find(asked),
        **axis_context(asked),
    }  # fmt: skip
    if view == "waterfall" or offline:
        shown |= _waterfall(asked, offline=offline)
    if view == "table" or offline:
        shown["lines"] = log_lines(timeline, answer.facts, asked.hues, asked.back)
    if view == "sequence" or offline:
        shown["sequence"] = sequence_view(answer, drawn, asked.hues, params, offline=offline)
    if view == "graph":
        shown["flow"] = flow_view(answer, asked.hues, asked.back)
    if view == "waterfall":
        panel = panel_of(answer, asked.selected, asked.back)
        if panel is not None:
            shown["panel"] = panel
    return shown


def _views(asked: Asked, view: str) -> list[dict[str, Any]]:
    kinds = (
        ("", "waterfall", "Waterfall", "chart-gantt"),
        ("sequence", "sequence", "Sequence", "git-fork"),
        ("table", "table", "Table", "list"),
        ("graph", "graph", "Flow", "waypoints"),
    )
    return [
        {
            "href": link(asked.path, asked.params, view=key, start=None, steps=None),
            "label": label,
            "icon": icon,
            "here": view == name,
        }
        for key, name, label, icon in kinds
    ]


def _find(asked: Asked) -> dict[str, Any]:
    params = asked.params
    kept = [(name, params[name]) for name in KEPT if params.get(name) and name not in ("find", "start")]
    return {
        "find": asked.find,
        "matches": len(asked.matches) if asked.matches is not None else 0,
        "hidden_fields": kept,
        "clear_href": link(asked.path, params, find=None),
    }


def axis_context(asked: Asked) -> dict[str, Any]:
    """The axis as the URL folds and zooms it, and the links that do."""
    params = asked.params
    folded, folded_waits = params.get("fold") != "0", params.get("waits") == "1"
    return {
        "axis": axis(asked.drawn.scale, params, asked.path, apart=150, zoom=asked.zoom),
        "zoomed": asked.zoom != WHOLE,
        "zoom_left": asked.zoom[0],
        "zoom_right": asked.zoom[1],
        "zoom_rest": 1000 - asked.zoom[1],
        "inner_x": x(-1000 * asked.zoom[0] / (asked.zoom[1] - asked.zoom[0])),
        "inner_width": x(1000 * 1000 / (asked.zoom[1] - asked.zoom[0])),
        "stretches": asked.drawn.scale.stretches,
        "reset_href": link(asked.path, params, zoom=None),
        "folded": folded,
        "folded_waits": folded_waits,
        "pathed": params.get("critical") != "0",
        "fold_href": link(asked.path, params, fold="0" if folded else None, open=None),
        "waits_href": link(asked.path, params, waits=None if folded_waits else "1", open=None),
        "path_href": link(asked.path, params, critical="0" if params.get("critical") != "0" else None),
    }


def services(asked: Asked) -> list[dict[str, Any]]:
    """Every service with its colour, how many rows it has, and the link that hides or shows it."""
    counts: dict[str, int] = {}
    for entry in asked.held.answer.timeline.entries:
        counts[entry.lane] = counts.get(entry.lane, 0) + 1
    found = []
    for name in asked.held.answer.timeline.services:
        hidden = name in asked.hidden
        others = asked.hidden - {name} if hidden else asked.hidden | {name}
        only = frozenset(asked.held.answer.timeline.services) - {name}
        found.append(
            {
                "name": name,
                "hue": asked.hues[name],
                "count": counts.get(name, 0),
                "hidden": hidden,
                "key": quote(name, safe=""),
                "href": link(asked.path, asked.params, hide=hiding(others), start=None),
                "only_href": link(asked.path, asked.params, hide=hiding(only), start=None),
            }
        )
    return found


def _waterfall(asked: Asked, *, offline: bool) -> dict[str, Any]:
    """The rows that come with the page, and where the others are asked for."""
    kin, shown, params = asked.drawn.tree, asked.shown, asked.params
    size = len(kin.nodes)
    whole = size <= FIRST_ROWS or offline
    first = int(params["start"]) if params.get("start", "").isdecimal() and len(params["start"]) < 9 else 0
    first = 0 if whole else min(first, max(0, len(shown) - 1))
    # all of a short trace is there at once, and what is closed only out of sight
    listing = list(range(size)) if whole else shown
    most = WHOLE_ROWS if offline else FIRST_ROWS if whole else SCREENS
    numbers = lines(asked.drawn, listing, first, most)
    rows = listed(asked.rows(), numbers, params, asked.path)
    if whole and len(shown) < size:
        seen = frozenset(shown)
        for row, number in zip(rows, numbers, strict=True):
            row["out"] = number not in seen if number >= 0 else True
    place = next((row["place"] for row in rows if row.get("selected")), -1)
    if place < 0 and not whole:
        place = _place_of(asked, asked.selected)
    return {
        "rows": rows,
        "row_count": size,
        "first": first,
        "more": not whole,
        "next_href": link(asked.path, params, start=first + most) if not whole and first + most < len(shown) else "",
        "first_href": link(asked.path, params, start=None) if first else "",
        "rows_cut": max(0, size - most) if offline else 0,
        "rows_href": link(f"{asked.path}/rows", {**params, "as_of": asked.held.mark}, span=None, start=None, closed=None, find=None, zoom=None, hide=None),
        "chosen": place,
        "minimap": minimap(asked.drawn, asked.hues),
        "left_out": sum(1 for node in kin.nodes if isinstance(node, Entry) and node.lane in asked.hidden),
    }  # fmt: skip


def _place_of(asked: Asked, fact: str) -> int:
    nodes = asked.drawn.tree.nodes
    return next((n for n, node in enumerate(nodes) if isinstance(node, Entry) and node.fact == fact), -1)


def sentence(timeline: Timeline, drawn: Waterfall) -> str:
    """How long it took and what of that was waiting; what went wrong, if anything."""
    length = drawn.scale.end - drawn.scale.start
    root = timeline.entries[0].what if timeline.entries else "Nothing"
    said = (
        f"{root or 'This trace'} took {words.length(length)}"
        if length
        else f"{root or 'This trace'} has no length"
    )
    if drawn.waiting + drawn.work > length:
        said += (
            f"; its messages waited {words.length(drawn.waiting)} and took {words.length(drawn.work)} of work"
        )
    elif drawn.waiting or drawn.work:
        said += f", of which {words.length(drawn.waiting)} waiting and {words.length(drawn.work)} work"
    wrong = []
    if any(finding.rule == "duplicate" for finding in timeline.findings):
        wrong.append("handled more than once")
    failed = sum(1 for entry in timeline.entries if entry.status == "error")
    if failed:
        wrong.append(f"{failed:,} failed")
    return f"{said}{'; ' + ', '.join(wrong) if wrong else ''}."


def _selected(answer: TraceAnswer, drawn: Waterfall, params: Mapping[str, str]) -> str:
    """The fact that is selected: the one asked for, by fact or span id, else the one that explains most."""
    wanted, entries = params.get("span", ""), answer.timeline.entries
    if wanted:
        if any(entry.fact == wanted for entry in entries):
            return wanted
        for name, stored in drawn.facts.items():
            if stored.fact.ref is not None and stored.fact.ref.span_id == wanted:
                return name
    proof = {ref for finding in answer.timeline.findings for ref in finding.evidence}
    named = {entry.fact: entry for entry in entries if entry.fact in proof}
    for finding in answer.timeline.findings:
        evidence = [entry for ref in finding.evidence if (entry := named.get(ref)) is not None]
        spans = [entry for entry in evidence if entry.kind == "span"]
        if evidence:
            return max(spans or evidence, key=lambda entry: (entry.at or 0, entry.fact)).fact
    failed = [entry.fact for entry in entries if entry.status == "error"]
    return failed[-1] if failed else entries[0].fact if entries else ""


def panel_of(answer: TraceAnswer, selected: str, params: Mapping[str, str]) -> dict[str, Any] | None:
    """The side panel's context, from the trace alone."""
    wanted = {selected} | {
        ref
        for hop in answer.timeline.hops
        if selected in (hop.producer, hop.receiver, hop.consumer, hop.settled)
        for ref in (hop.producer, hop.receiver, hop.consumer)
        if ref
    }
    known = {stored.receipt.id: stored for stored in answer.facts if stored.receipt.id in wanted}
    stored = known.get(selected)
    if stored is None:
        return None
    hops = tuple(
        hop
        for hop in answer.timeline.hops
        if selected in (hop.producer, hop.receiver, hop.consumer, hop.settled)
    )
    around = tuple(known[ref] for ref in sorted(wanted - {selected}) if ref in known)
    about = [finding for finding in answer.timeline.findings if selected in finding.evidence]
    page = fact_page(
        FactAnswer(stored=stored, hops=hops, around=around, arrivals=(stored.receipt.received,)), params
    )
    return {**page, "findings": findings(about, params)}
