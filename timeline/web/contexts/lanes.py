"""The lanes drawing: where every bar, mark, wait, arc and label goes, in per cent and pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timeline.rebuild.lanes import Arc, Bar, Lane, Lanes, Mark
from timeline.web import words
from timeline.web.contexts.frame import link
from timeline.web.contexts.story import badges, wait_mark, x

ROW = 40  # pixels of one row of bars
PAD = 10  # above and below the rows of a lane
TOP = 30  # the axis above the lanes
FOLDS = 20  # more of it where idle time is folded: what it was stands above the times
BAR = 14
LETTER = 5.6  # thousandths of the drawing that a letter needs at its usual width
MOST = 3_000  # marks drawn; the log has all


class _Labels:
    """Keeps labels of one drawing from covering each other."""

    def __init__(self) -> None:
        self._taken: dict[int, list[tuple[float, float]]] = {}

    def free(self, line: int, left: float, right: float) -> bool:
        """Take the room on a line of pixels if nothing has it."""
        if left < 0 or right > 1000:
            return False
        rows = self._taken.setdefault(line, [])
        if any(left < other[1] and other[0] < right for other in rows):
            return False
        rows.append((left, right))
        return True

    def block(self, line: int, left: float, right: float) -> None:
        """Say that something is drawn there."""
        self._taken.setdefault(line, []).append((left, right))


def drawing(
    drawn: Lanes, hues: Mapping[str, int], params: Mapping[str, str], selected: str
) -> dict[str, Any]:
    """Everything the lanes template draws."""
    labels = _Labels()
    tops: list[int] = []
    y = inset = TOP + (FOLDS if drawn.scale.breaks else 0)
    for lane in drawn.lanes:
        tops.append(y)
        y += 2 * PAD + lane.rows * ROW
    left = MOST
    lanes = []
    for lane, top in zip(drawn.lanes, tops, strict=True):
        lane_marks, lane_bars = lane.marks[:left], lane.bars[: max(0, left - len(lane.marks))]
        left = max(0, left - len(lane_marks) - len(lane_bars))
        lanes.append(
            _lane(lane, lane_bars, lane_marks, top, hues.get(lane.service, 0), labels, params, selected)
        )
    things = [thing for lane in lanes for thing in (*lane["bars"], *lane["marks"])]
    shown = {thing["id"] for thing in things}
    starts = {
        bar.fact: min([wait.x for wait in bar.waits if not wait.wait.open], default=bar.x)
        for lane in drawn.lanes
        for bar in lane.bars
    }
    arcs = [_arc(arc, tops, starts) for arc in drawn.arcs if arc.target in shown]
    return {
        "lanes": lanes,
        "arcs": arcs,
        "shapes": {name: any(thing[name] for thing in things) for name in ("duplicate", "late", "wrong")},
        "height": y,
        "top": inset,
        "times_at": inset - 12,
        "inside": y - inset,
        "cut": max(0, drawn.marks - MOST),
        "marks": drawn.marks,
    }


def _shape(found: Sequence[str]) -> dict[str, bool]:
    """What is told by shape: a fact that came late, and one whose time contradicts its causes."""
    return {"late": "late" in found, "wrong": "out of order" in found or "clock" in found}


def _middle(top: int, row: int) -> int:
    return top + PAD + row * ROW + ROW // 2 + 3


def _lane(
    lane: Lane,
    bars: list[Bar],
    marks: list[Mark],
    top: int,
    hue: int,
    labels: _Labels,
    params: Mapping[str, str],
    selected: str,
) -> dict[str, Any]:
    said = [words.plural(lane.events, "event")] if lane.events else []
    said += (
        [words.plural(lane.handlings, "handling")]
        if lane.handlings
        else [words.plural(lane.spans, "span")]
        if lane.spans and not lane.events
        else []
    )
    if lane.context_only:
        said = ["context"]
    for bar in bars:
        middle = _middle(top, bar.row)
        reach = [
            bar.x,
            bar.x + bar.width,
            *(edge for wait in bar.waits for edge in (wait.x, wait.x + wait.width)),
        ]
        labels.block(middle, min(reach) - 2, max(reach) + 2)
    for mark in marks:
        if mark.on is None:
            labels.block(_middle(top, mark.row), mark.x - 8, mark.x + 8)
    height = 2 * PAD + lane.rows * ROW
    return {
        "service": lane.service or "unnamed",
        "said": ", ".join(said) + (f", {lane.untimed} without a time" if lane.untimed else ""),
        "crowded": lane.crowded,
        "hue": hue,
        "top": top,
        "bottom": top + height,
        "edge_height": height - 8,
        "marks": [_mark(mark, top, labels, params, selected) for mark in marks],
        "bars": [_bar(bar, top, labels, params, selected) for bar in bars],
    }


def _bar(bar: Bar, top: int, labels: _Labels, params: Mapping[str, str], selected: str) -> dict[str, Any]:
    middle = _middle(top, bar.row)
    waits = [wait_mark(wait) for wait in bar.waits]
    end = bar.x + bar.width
    beside = bar.length
    right = max([end, *(wait.x + wait.width for wait in bar.waits)])
    length_at = ""
    if beside:
        room = len(beside) * LETTER + 10
        if labels.free(middle, right + 3, right + 3 + room):
            length_at = "right"
    under = _under(bar, middle, labels)
    name_at, name_anchor = "", ""
    size = len(bar.what) * LETTER
    if labels.free(middle - 14, bar.x, bar.x + size):
        name_at, name_anchor = x(bar.x), "start"
    elif labels.free(middle - 14, end - size, end):  # the last ones, at the edge of the drawing
        name_at, name_anchor = x(end), "end"
    return {
        "id": bar.fact,
        "href": link(f"/facts/{bar.fact}", params),
        "x": x(bar.x),
        "width": x(bar.width),
        "end": x(end),
        "y": middle - BAR // 2,
        "middle": middle,
        "what": bar.what or "unnamed",
        "length": bar.length,
        "length_at": length_at,
        "right": x(right),
        "name_at": name_at,
        "name_anchor": name_anchor,
        "above": middle - 12,
        "below": middle + 21,
        "under": under,
        "waits": waits,
        "failed": bar.status == "error",
        "inner": bar.inner,
        "inner_error": bar.inner_error and bar.status != "error",
        "context": bar.context,
        "duplicate": bar.duplicate,
        **_shape(bar.badges),
        "selected": bar.fact == selected,
    }


def _under(bar: Bar, middle: int, labels: _Labels) -> list[dict[str, Any]]:
    """What stands below a bar: a wait that explains something, the attempt, the failure."""
    end = bar.x + bar.width
    slow = next((wait for wait in bar.waits if wait.wait.slow or wait.wait.open), None)
    under: list[dict[str, Any]] = []
    if slow is not None:
        text = f"waited {slow.label}" if not slow.wait.open else slow.label
        at = slow.x
        if labels.free(middle + 20, at, at + len(text) * LETTER):
            under.append({"x": x(at), "text": text, "tone": "amber", "anchor": "start"})
    note = ", ".join(
        badge["text"].lower() for badge in badges(bar.badges) if badge["text"].startswith("Attempt")
    )
    if bar.status == "error":
        note = (
            f"{note or 'failed'}{', failed' if note else ''} after {bar.length}"
            if bar.length
            else note or "failed"
        )
    if note:
        size = len(note) * LETTER
        at, anchor = (bar.x, "start") if bar.x + size <= 1000 else (end, "end")
        low = at if anchor == "start" else at - size
        if labels.free(middle + 20, low, low + size):
            under.append(
                {
                    "x": x(at),
                    "text": note,
                    "tone": "red" if bar.status == "error" else "amber" if bar.duplicate else "",
                    "anchor": anchor,
                }
            )
    return under


def _mark(mark: Mark, top: int, labels: _Labels, params: Mapping[str, str], selected: str) -> dict[str, Any]:
    middle = _middle(top, mark.row)
    half = len(mark.what) * LETTER * 1.08 / 2
    label_y, anchor, at = 0, "middle", mark.x
    ends = min(mark.x + 4, 1000) - 2 * half
    for spot, low in (("middle", mark.x - half), ("start", mark.x - 4), ("end", ends)):
        for line, text_y in ((middle - 14, middle - 13), (middle + 20, middle + 22)):
            if not label_y and labels.free(line, low, low + 2 * half):
                label_y, anchor = text_y, spot
    return {
        "id": mark.fact,
        "href": link(f"/facts/{mark.fact}", params),
        "x": x(mark.x),
        "y": middle,
        "what": mark.what or "unnamed",
        "label_y": label_y,
        "label_x": x(at),
        "anchor": anchor,
        "failed": mark.status == "error",
        "context": mark.context,
        "duplicate": mark.duplicate,
        **_shape(mark.badges),
        "on_bar": mark.on is not None,
        "selected": mark.fact == selected,
    }


def _arc(arc: Arc, tops: list[int], starts: Mapping[str, float]) -> dict[str, Any]:
    """A curve from one row to another, stretched between two percentages."""
    from_y, to_y = _middle(tops[arc.from_lane], arc.from_row), _middle(tops[arc.to_lane], arc.to_row)
    to_x = (
        min(arc.to_x, max(starts.get(arc.target, arc.to_x), arc.from_x)) if arc.kind != "cause" else arc.to_x
    )
    down = to_y > from_y
    from_y += BAR // 2 if down else -(BAR // 2)
    to_edge = to_y - (BAR // 2 + 2) * (1 if down else -1)
    straight = abs(to_x - arc.from_x) < 4
    left, right = sorted((arc.from_x, to_x))
    low, high = sorted((from_y, to_edge))
    height = max(1, high - low)
    begin = (0 if arc.from_x <= to_x else 100, 0 if down else height)
    finish = (100 - begin[0], height - begin[1])
    bend = height * 0.5
    down_by = bend if down else -bend
    path = f"M{begin[0]} {begin[1]}C{begin[0]} {begin[1] + down_by:.0f} {finish[0]} {finish[1] - down_by:.0f} {finish[0]} {finish[1]}"
    return {
        "kind": arc.kind,
        "straight": straight,
        "x": x(left),
        "to_x": x(to_x),
        "width": x(max(right - left, 0.5)),
        "y": low,
        "height": height,
        "from_y": from_y,
        "to_y": to_edge,
        "path": path,
        "head": "M-4 -6h8l-4 6z" if down else "M-4 6h8l-4 -6z",
        "source": arc.source,
        "target": arc.target,
    }
