"""The trace page: a waterfall with waits apart from work, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timeline.answers import FactAnswer, TraceAnswer
from timeline.domain import Timeline
from timeline.rebuild.tree import Waterfall, WaterfallRow, waterfall
from timeline.web import colours, words
from timeline.web.contexts.fact import fact_page
from timeline.web.contexts.frame import link
from timeline.web.contexts.search import coverage_lines, exports
from timeline.web.contexts.story import axis, badges, findings, log_lines, opened, place_of, wait_mark, x

FIRST_ROWS = 400  # rows that come with the page; the rest is fetched as numbers
WHOLE_ROWS = 5_000  # rows of a file to take away
MINIMAP_ROWS = 240
GUIDE = 11  # pixels of indent a level
LETTER = 11.5  # room of a letter, in thousandths of the drawing at its usual width
DEEPEST = 24  # levels that are indented; deeper ones keep that indent
KEPT = ("q", "from", "to", "range", "sort", "find", "fold", "waits", "open", "view", "span", "start")


def trace_page(answer: TraceAnswer, params: Mapping[str, str]) -> dict[str, Any]:
    """Everything the trace template shows."""
    drawn = _waterfall(answer, params)
    path = f"/traces/{answer.trace_id}"
    hues = colours.assign(answer.timeline.services)
    find = params.get("find", "").strip()
    selected = _selected(answer, drawn, params)
    first = int(params["start"]) if params.get("start", "").isdecimal() else 0
    first = min(first, max(0, len(drawn.rows) - 1))
    most = WHOLE_ROWS if params.get("whole") else FIRST_ROWS
    rows = [_row(row, hues, find, selected) for row in drawn.rows[first : first + most]]
    matches = sum(1 for row in drawn.rows if _matches(row, find)) if find else 0
    folded, folded_waits = params.get("fold") != "0", params.get("waits") == "1"
    back = {name: value for name, value in params.items() if name in ("q", "from", "to", "range", "sort")}
    shown = {
        "answer": answer,
        "timeline": answer.timeline,
        "sentence": sentence(answer.timeline, drawn),
        "axis": axis(drawn.scale, params, path, apart=150),
        "rows": _with_breaks(rows, drawn),
        "row_count": len(drawn.rows),
        "first": first,
        "more": len(drawn.rows) > most and not params.get("whole"),
        "next_href": link(path, params, start=first + FIRST_ROWS) if first + FIRST_ROWS < len(drawn.rows) and not params.get("whole") else "",
        "rows_cut": max(0, len(drawn.rows) - most) if params.get("whole") else 0,
        "first_href": link(path, params, start=None) if first else "",
        "rows_href": link(f"{path}/rows", params, span=None, start=None),
        "minimap": _minimap(drawn, hues),
        "services": [{"name": name, "hue": hues[name]} for name in answer.timeline.services],
        "hues": hues,
        "spans": sum(1 for entry in answer.timeline.entries if entry.kind == "span"),
        "events": sum(1 for entry in answer.timeline.entries if entry.kind == "event"),
        "messages": len({(hop.destination, hop.partition, hop.offset, hop.event) for hop in answer.timeline.hops}),
        "hops": len(answer.timeline.hops),
        "open_hops": sum(1 for hop in answer.timeline.hops if hop.outcome in ("unconsumed", "in flight")),
        "depth": drawn.depth,
        "linked": [{"id": other, "href": link(f"/traces/{other}", back)} for other in answer.timeline.linked],
        "missing": answer.timeline.missing,
        "findings": findings(answer.timeline.findings, back),
        "find": find,
        "matches": matches,
        "folded": folded,
        "folded_waits": folded_waits,
        "fold_href": link(path, params, fold="0" if folded else None, open=None),
        "waits_href": link(path, params, waits=None if folded_waits else "1", open=None),
        "hidden": [(name, params[name]) for name in (*back, "fold", "waits", "open", "view", "span") if params.get(name)],
        "is_table": params.get("view") == "table",
        "waterfall_href": link(path, params, view=None),
        "table_href": link(path, params, view="table"),
        "coverage": coverage_lines(answer.coverage),
        "exports": exports("trace", {"id": answer.trace_id}),
        "selected": selected,
    }  # fmt: skip
    if shown["is_table"] or params.get("whole"):
        shown["lines"] = log_lines(answer.timeline, answer.facts, hues, back)
    panel = panel_of(answer, selected, back)
    if panel is not None:
        shown["panel"] = panel
    return shown


def _waterfall(answer: TraceAnswer, params: Mapping[str, str]) -> Waterfall:
    return waterfall(
        answer.timeline,
        answer.facts,
        fold=params.get("fold") != "0",
        fold_waits=params.get("waits") == "1",
        keep=opened(params),
    )


def sentence(timeline: Timeline, drawn: Waterfall) -> str:
    """How long it took and what of that was waiting; what went wrong, if anything."""
    length = drawn.scale.end - drawn.scale.start
    root = timeline.entries[0].what if timeline.entries else "Nothing"
    said = (
        f"{root or 'This trace'} took {words.length(length)}"
        if length
        else f"{root or 'This trace'} has no length"
    )
    if drawn.waiting or drawn.work:
        said += f", of which {words.length(drawn.waiting)} waiting and {words.length(drawn.work)} work"
    wrong = []
    if any(finding.rule == "duplicate" for finding in timeline.findings):
        wrong.append("handled more than once")
    failed = sum(1 for entry in timeline.entries if entry.status == "error")
    if failed:
        wrong.append(f"{failed:,} failed")
    return f"{said}{'; ' + ', '.join(wrong) if wrong else ''}."


def _selected(answer: TraceAnswer, drawn: Waterfall, params: Mapping[str, str]) -> str:
    """The fact that the panel shows: the one asked for, else the one that explains most."""
    wanted = params.get("span", "")
    entries = {entry.fact for entry in answer.timeline.entries}
    if wanted in entries:
        return wanted
    for stored in answer.facts if wanted else ():
        if stored.fact.ref is not None and stored.fact.ref.span_id == wanted and stored.receipt.id in entries:
            return stored.receipt.id
    for finding in answer.timeline.findings:
        evidence = [entry.fact for entry in answer.timeline.entries if entry.fact in finding.evidence]
        spans = [
            entry.fact
            for entry in answer.timeline.entries
            if entry.fact in finding.evidence and entry.kind == "span"
        ]
        if evidence:
            return (spans or evidence)[-1]
    failed = [entry.fact for entry in answer.timeline.entries if entry.status == "error"]
    return failed[-1] if failed else drawn.rows[0].row.entry.fact if drawn.rows else ""


def panel_of(answer: TraceAnswer, selected: str, params: Mapping[str, str]) -> dict[str, Any] | None:
    """The side panel's context, from the trace alone."""
    known = {stored.receipt.id: stored for stored in answer.facts}
    stored = known.get(selected)
    if stored is None:
        return None
    hops = tuple(
        hop
        for hop in answer.timeline.hops
        if selected in (hop.producer, hop.receiver, hop.consumer, hop.settled)
    )
    named = {ref for hop in hops for ref in (hop.producer, hop.receiver, hop.consumer) if ref} - {selected}
    around = tuple(known[ref] for ref in sorted(named) if ref in known)
    about = [finding for finding in answer.timeline.findings if selected in finding.evidence]
    page = fact_page(
        FactAnswer(stored=stored, hops=hops, around=around, arrivals=(stored.receipt.received,)), params
    )
    return {**page, "findings": findings(about, params)}


def _matches(row: WaterfallRow, find: str) -> bool:
    entry, wanted = row.row.entry, find.casefold()
    if wanted in f"{entry.lane} {entry.what} {entry.detail} {' '.join(entry.badges)}".casefold():
        return True
    stored = row.row.stored
    if stored is None:
        return False
    named = stored.fact.ref is not None and wanted == stored.fact.ref.span_id
    return named or any(
        wanted in f"{key}={value}".casefold() for key, value in stored.fact.attributes.items()
    )


def _row(drawn: WaterfallRow, hues: Mapping[str, int], find: str, selected: str) -> dict[str, Any]:
    row, entry = drawn.row, drawn.row.entry
    depth = min(row.depth, DEEPEST)
    start, end = drawn.x, None if drawn.x is None else drawn.x + drawn.width
    left = min([start or 0.0, *(wait.x for wait in drawn.waits if not wait.wait.open)])
    right = max([end or 0.0, *(wait.x + wait.width for wait in drawn.waits if wait.wait.open)])
    shown, waits = badges(entry.badges), [wait_mark(wait) for wait in drawn.waits]
    said = " ".join(
        [*(badge["text"] for badge in shown), drawn.label, *(wait["label"] for wait in waits if wait["open"])]
    )
    side = _side(left, right, len(said))
    return {
        "is": "row",
        "id": entry.fact,
        "break_before": drawn.break_before,
        "depth": row.depth,
        "indent": depth * GUIDE,
        "guides": [level * GUIDE + 6.5 for level in range(depth)],
        "lane": entry.lane,
        "what": entry.what or "unnamed",
        "hue": hues.get(entry.lane, 0),
        "event": entry.kind == "event",
        "children": row.children,
        "descendants": row.descendants,
        "own_error": row.own_error,
        "inherited_error": row.inherited_error and not row.own_error,
        "badges": shown,
        "batch": row.stored.fact.message.batch_count
        if row.stored and row.stored.fact.message and (row.stored.fact.message.batch_count or 0) > 1
        else 0,
        "x": x(start) if start is not None else "",
        "width": x(drawn.width),
        "end": x(end) if end is not None else "",
        "label": drawn.label,
        "label_x": x(right if side == "right" else left),
        "side": side,
        "waits": waits,
        "outlives": "outlives parent" in entry.badges,
        "match": bool(find) and _matches(drawn, find),
        "dim": bool(find) and not _matches(drawn, find),
        "selected": entry.fact == selected,
        "untimed": start is None,
        "place": place_of(row.stored),
    }


def _side(left: float, right: float, letters: int) -> str:
    """Where the label fits: right of the bar if it can, else left, else where there is more room."""
    wanted = letters * LETTER + 8
    if 1000 - right >= wanted or left < wanted:
        return "right" if 1000 - right >= min(wanted, left) else "left"
    return "left"


def _with_breaks(rows: list[dict[str, Any]], drawn: Waterfall) -> list[dict[str, Any]]:
    """Rows with a line before the first one that comes after folded time."""
    shown: list[dict[str, Any]] = []
    for row in rows:
        if row["break_before"] is not None:
            gap = drawn.scale.breaks[row["break_before"]]
            shown.append({"is": "break", "label": gap.label})
        shown.append(row)
    return shown


def _minimap(drawn: Waterfall, hues: Mapping[str, int]) -> list[dict[str, Any]]:
    """At most ``MINIMAP_ROWS`` bars over 40 pixels; of more rows, evenly many."""
    step = max(1, -(-len(drawn.rows) // MINIMAP_ROWS))
    rows = drawn.rows[::step]
    high = min(3.0, 40 / max(1, len(rows)))
    return [
        {"x": x(row.x), "width": x(max(row.width, 2.0)), "y": f"{4 + 40 * number / max(1, len(rows)):.1f}", "height": f"{max(1.0, high * 0.8):.1f}",
         "hue": hues.get(row.row.entry.lane, 0), "failed": row.row.own_error, "waits": [{"x": x(wait.x), "width": x(wait.width), "slow": wait.wait.slow} for wait in row.waits if not wait.wait.open]}
        for number, row in enumerate(rows)
        if row.x is not None
    ]  # fmt: skip


def rows_json(answer: TraceAnswer, params: Mapping[str, str]) -> dict[str, Any]:
    """All rows as plain numbers and texts, for the script that draws what is in view."""
    drawn = _waterfall(answer, params)
    hues = colours.assign(answer.timeline.services)
    lanes = list(dict.fromkeys(row.row.entry.lane for row in drawn.rows))
    number = {name: place for place, name in enumerate(lanes)}
    find = params.get("find", "").strip()
    return {
        "lanes": [[words.visible(name), hues.get(name, 0)] for name in lanes],
        "rows": [_packed(row, number, find) for row in drawn.rows],
    }


def _packed(drawn: WaterfallRow, number: Mapping[str, int], find: str) -> list[Any]:
    row, entry = drawn.row, drawn.row.entry
    flags = (
        row.own_error
        + 2 * row.inherited_error
        + 4 * (entry.kind == "event")
        + 8 * bool(find and _matches(drawn, find))
        + 16 * (drawn.side == "left")
    )
    return [
        entry.fact, row.depth, number[entry.lane], words.visible(entry.what or "unnamed")[:200], drawn.x, drawn.width, drawn.label, flags, row.children,
        [[wait.x, wait.width, int(wait.wait.slow), int(wait.wait.open)] for wait in drawn.waits],
    ]  # fmt: skip
