"""The rows of a waterfall as its template reads them, and the whole of it, small."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from timeline.answers import TraceAnswer
from timeline.domain import Entry, Hop
from timeline.rebuild.tree import Batch, BatchMessage
from timeline.rebuild.waterfall import Waterfall, WaterfallRow
from timeline.search.times import SECOND
from timeline.web import words
from timeline.web.contexts.frame import link
from timeline.web.contexts.story import badges, place_of, wait_mark, x

GUIDE = 11  # pixels of indent a level
DEEPEST = 24  # levels that are indented; deeper ones keep that indent
LETTER = 11.5  # room of a letter, in thousandths of the drawing at its usual width
MINIMAP_ROWS = 120  # bars of the small drawing, each of as many rows as it takes
_FAR = 10  # times the usual wait, from a second on: far beyond it

Zoom = tuple[float, float]
WHOLE: Zoom = (0.0, 1000.0)


class Rows:
    """Makes rows of one picture, for one URL."""

    def __init__(
        self,
        answer: TraceAnswer,
        drawn: Waterfall,
        hues: Mapping[str, int],
        *,
        closed: frozenset[int],
        hidden: frozenset[str],
        matches: frozenset[int] | None,
        selected: str,
        zoom: Zoom,
        path: bool,
    ) -> None:
        self.answer, self.drawn, self.hues = answer, drawn, hues
        self.closed, self.hidden, self.matches, self.selected = closed, hidden, matches, selected
        self.zoom, self.path = zoom, path
        self.usual = {(each.destination, each.consumer): each.median for each in answer.usual}

    def row(self, place: int) -> dict[str, Any]:
        """One row."""
        closed = place in self.closed
        drawn = self.drawn.row(place)
        node = drawn.node
        depth = min(drawn.depth, DEEPEST)
        shared = {
            "is": "row",
            "place": place,
            "id": node.fact,
            "depth": drawn.depth,
            "indent": depth * GUIDE,
            "guides": [level * GUIDE + 6.5 for level in range(depth)],
            "lane": node.lane,
            "hue": self.hues.get(node.lane, 0),
            "children": drawn.children,
            "below": drawn.below,
            "closed": closed,
            "filtered": node.lane in self.hidden,
            "own_error": drawn.own_error,
            "inherited_error": drawn.inherited_error and not drawn.own_error,
            "match": self.matches is not None and place in self.matches,
            "dim": self.matches is not None and place not in self.matches,
            "inner_x": x(-1000 * self.zoom[0] / (self.zoom[1] - self.zoom[0])),
            "inner_width": x(1000 * 1000 / (self.zoom[1] - self.zoom[0])),
        }
        if isinstance(node, Batch):
            return {**shared, **self._batch(node)}
        if isinstance(node, BatchMessage):
            return {**shared, **self._message(node, drawn)}
        return {**shared, **self._fact(node, drawn)}

    def _batch(self, node: Batch) -> dict[str, Any]:
        return {"kind": "messages", "what": words.plural(len(node.hops), "message"), "selected": False}

    def _message(self, node: BatchMessage, drawn: WaterfallRow) -> dict[str, Any]:
        hop = self.answer.timeline.hops[node.hop]
        place = [part for part in (hop.destination, hop.partition, hop.offset) if part is not None]
        start, end = drawn.x, None if drawn.x is None else drawn.x + drawn.width
        label = f"waited {drawn.label}" if drawn.label else "no time given"
        if hop.attempts > 1:
            label += f", {hop.attempts} attempts"
        return {
            "kind": "message",
            "what": f"message {node.number} of {node.total}",
            "detail": "/".join(map(str, place)) or hop.event or "",
            "id": hop.producer or node.fact,
            "from": hop.producer_service,
            "selected": False,
            "x": "" if start is None else x(start),
            "width": x(drawn.width),
            "slow": self._far(hop),
            **self._label(start or 0.0, end or 0.0, len(label)),
            "label": label,
            "failed": hop.outcome == "failed",
        }

    def _fact(self, entry: Entry, drawn: WaterfallRow) -> dict[str, Any]:
        start, end = drawn.x, None if drawn.x is None else drawn.x + drawn.width
        waits = [self._wait(wait) for wait in drawn.waits]
        left = min([start or 0.0, *(wait.x for wait in drawn.waits if not wait.wait.open)])
        right = max([end or 0.0, *(wait.x + wait.width for wait in drawn.waits if wait.wait.open)])
        if self.path and drawn.critical:
            left = min(left, drawn.critical[0][0])
        if drawn.early is not None:
            left = min(left, drawn.early)
        if drawn.late is not None:
            right = max(right, drawn.late)
        shown = [self._past(badge, entry) for badge in badges(entry.badges)]
        said = " ".join(
            [*(badge["text"] for badge in shown), drawn.label, *(w["label"] for w in waits if w["beside"])]
        )
        message = drawn.stored.fact.message if drawn.stored else None
        return {
            "kind": entry.kind,
            "what": entry.what or "unnamed",
            "event": entry.kind == "event",
            "badges": shown,
            "batch": message.batch_count if message and (message.batch_count or 0) > 1 else 0,
            "x": "" if start is None else x(start),
            "width": x(drawn.width),
            "end": "" if end is None else x(end),
            "label": drawn.label,
            **self._label(left, right, len(said)),
            "waits": waits,
            "early": "" if drawn.early is None else x(drawn.early),
            "late": "" if drawn.late is None else x(drawn.late),
            **self._path(drawn),
            "selected": entry.fact == self.selected,
            "untimed": start is None,
            "coordinates": place_of(drawn.stored),
        }

    def _path(self, drawn: WaterfallRow) -> dict[str, Any]:
        if not self.path:
            return {}
        below = drawn.critical_below if drawn.critical_below != drawn.critical else ()
        return {
            "critical": [{"x": x(at), "width": x(width)} for at, width in drawn.critical],
            "critical_below": [{"x": x(at), "width": x(width)} for at, width in below],
        }

    def _past(self, badge: dict[str, str], entry: Entry) -> dict[str, str]:
        """By how much a child outlives its parent, in place of the bare word; a failed attempt in red."""
        if badge["text"].startswith("Attempt ") and entry.status == "error":
            return {**badge, "tone": "red"}
        if badge["text"] != "Outlives parent" or entry.until is None or entry.parent is None:
            return badge
        stored = self.drawn.facts.get(entry.parent)
        until = None if stored is None else stored.fact.until
        if until is None or until >= entry.until:
            return badge
        return {"text": f"{words.length(entry.until - until)} past its parent", "tone": "amber"}

    def _wait(self, drawn: Any) -> dict[str, Any]:
        hop = self.answer.timeline.hops[drawn.wait.hop]
        far = self._far(hop) and not drawn.wait.again and not drawn.wait.open
        usual = self.usual.get(key_of(hop))
        said = f", usually {words.length(usual)}" if usual is not None and not drawn.wait.again else ""
        mark = wait_mark(drawn, slow=far, usual=said)
        return {**mark, "beside": mark["open"] or (mark["slow"] and not mark["pill"])}

    def _far(self, hop: Hop) -> bool:
        usual = self.usual.get(key_of(hop))
        return usual is not None and hop.wait is not None and hop.wait >= max(SECOND, _FAR * usual)

    def _label(self, left: float, right: float, letters: int) -> dict[str, Any]:
        """Where the label stands: right of the bar, left of it, or on it; where it fits, else where there
        is more room. Nowhere for a bar that is out of view."""
        low, high = self.zoom
        scale = 1000 / (high - low)
        near, far = (max(0.0, left - low) * scale, max(0.0, high - right) * scale)
        wanted = letters * LETTER + 8
        side = "right"
        if right < low or left > high:
            side = "out"
        elif far < wanted and (near >= wanted or near > far):
            side = "left"
        elif far < wanted and (min(right, high) - max(left, low)) * scale > wanted:
            side = "in"
        at = max(min(left, high), low) if side == "left" else min(max(right, low), high)
        return {
            "side": side,
            "label_x": x(at),
            "left": round(left, 1),
            "right": round(right, 1),
            "letters": letters,
        }


def key_of(hop: Hop) -> tuple[str, str]:
    """What the usual wait of a hop goes by: its destination, and the group or else the service."""
    return (hop.destination or "", hop.group or hop.consumer_service)


def found(drawn: Waterfall, find: str) -> frozenset[int]:
    """The places whose row, attributes or ids hold the text, whatever its case."""
    wanted = find.casefold()
    hits: set[int] = set()
    for place, node in enumerate(drawn.tree.nodes):
        if isinstance(node, Batch):
            continue
        if isinstance(node, BatchMessage):
            hop = drawn.timeline.hops[node.hop]
            text = f"{hop.destination}/{hop.partition}/{hop.offset} {hop.event} {hop.producer_service}"
        else:
            text = f"{node.lane} {node.what} {node.detail} {' '.join(node.badges)}"
            stored = drawn.facts.get(node.fact)
            if stored is not None:
                pairs = "\n".join([f"{key}={value}" for key, value in stored.fact.attributes.items()])
                span = stored.fact.ref.span_id if stored.fact.ref else ""
                text = f"{text}\n{pairs}\n{span}"
        if wanted in text.casefold():
            hits.add(place)
    return frozenset(hits)


def lines(drawn: Waterfall, shown: Sequence[int], first: int, most: int) -> list[int]:
    """The places of some lines; before one that comes after folded time, that break as ``-1 - number``."""
    found: list[int] = []
    for place in shown[first : first + most]:
        if place in drawn.breaks:
            found.append(-1 - drawn.breaks[place])
        found.append(place)
    return found


def listed(rows: Rows, numbers: Iterable[int], params: Mapping[str, str], path: str) -> list[dict[str, Any]]:
    """Rows and breaks for the template."""
    opens = [text for text in params.get("open", "").split(",") if text]
    made: list[dict[str, Any]] = []
    for number in numbers:
        if number >= 0:
            made.append(rows.row(number))
            continue
        gap = rows.drawn.scale.breaks[-1 - number]
        href = link(path, params, open=",".join([*opens, str(gap.start)]))
        made.append({"is": "break", "number": -1 - number, "label": gap.label, "href": href})
    return made


def minimap(drawn: Waterfall, hues: Mapping[str, int]) -> list[dict[str, Any]]:
    """At most ``MINIMAP_ROWS`` bars over 40 pixels; of several rows the longest, and what failed."""
    kin = drawn.tree
    entries = [
        place for place, node in enumerate(kin.nodes) if isinstance(node, Entry) and node.at is not None
    ]
    count = min(MINIMAP_ROWS, len(entries))
    edges = [number * len(entries) // count for number in range(count + 1)] if count else []
    high = min(3.0, 40 / max(1, count))
    bars: list[dict[str, Any]] = []
    for number, (low, top) in enumerate(pairwise(edges)):
        group = entries[low:top]
        longest = max(group, key=lambda place: _length(kin.nodes[place]))
        failed = [place for place in group if _failed(kin.nodes[place])][:3]
        for place in dict.fromkeys([longest, *failed]):
            row = drawn.row(place)
            bars.append(
                {
                    "x": x(row.x or 0.0),
                    "width": x(max(row.width, 2.0)),
                    "y": f"{4 + 40 * number / count:.1f}",
                    "height": f"{max(1.0, high * 0.8):.1f}",
                    "hue": hues.get(row.node.lane, 0),
                    "failed": row.own_error,
                    "waits": [
                        {"x": x(wait.x), "width": x(wait.width), "slow": wait.wait.slow}
                        for wait in row.waits
                        if not wait.wait.open
                    ],
                }
            )
    return bars


def _length(node: object) -> int:
    if not isinstance(node, Entry) or node.at is None or node.until is None:
        return 0
    return node.until - node.at


def _failed(node: object) -> bool:
    return isinstance(node, Entry) and node.status == "error"
