"""The flow graph of a trace: boxes and curves as numbers of pixels, and the same as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timeline.answers import TraceAnswer
from timeline.rebuild.flow import Edge, Graph, Side, graph
from timeline.search.times import SECOND
from timeline.web import words
from timeline.web.contexts.frame import link

WIDE, HIGH, ACROSS, DOWN, EDGE = 168, 44, 322, 88, 24  # px: a box, from rank to rank, from box to box, around


def flow_view(answer: TraceAnswer, hues: Mapping[str, int], back: Mapping[str, str]) -> dict[str, Any]:
    """The graph, laid out from left to right in the order in which things were reached."""
    found = graph(answer.timeline)
    places, rows = _placed(found)
    slow = _slow(answer)
    columns = max((rank for rank in found.nodes.values()), default=0) + 1
    return {
        "width": 2 * EDGE + ACROSS * (columns - 1) + WIDE,
        "height": 2 * EDGE + DOWN * (rows - 1) + HIGH + 24,
        "nodes": [_node(found, node, places[node], hues) for node in found.nodes],
        "edges": [_edge(edge, places, slow, back) for edge in found.edges],
    }


def _placed(found: Graph) -> tuple[dict[Side, tuple[float, float]], int]:
    """Corner of each box. In a column boxes stand as those stand that lead to them."""
    columns: dict[int, list[Side]] = {}
    for node, rank in found.nodes.items():
        columns.setdefault(rank, []).append(node)
    rows = max((len(column) for column in columns.values()), default=1)
    order: dict[Side, float] = {}
    places: dict[Side, tuple[float, float]] = {}
    for rank in sorted(columns):
        before: dict[Side, list[float]] = {}
        for edge in found.edges:
            if edge.source in order:
                before.setdefault(edge.target, []).append(order[edge.source])
        column = columns[rank]
        column.sort(key=lambda node: sum(before[node]) / len(before[node]) if node in before else 0.0)
        offset = (rows - len(column)) / 2
        for number, node in enumerate(column):
            order[node] = number + offset
            places[node] = (EDGE + ACROSS * rank, EDGE + DOWN * (number + offset))
    return places, rows


def _slow(answer: TraceAnswer) -> dict[str, int]:
    """The usual wait at each destination, where it is known."""
    return {one.destination: one.median for one in answer.usual}


def _node(found: Graph, node: Side, place: tuple[float, float], hues: Mapping[str, int]) -> dict[str, Any]:
    kind, name = node
    x, y = place
    said = "topic or queue" if kind == "destination" else words.plural(found.spans.get(name, 0), "span")
    failed = found.failed.get(name, 0) if kind == "service" else 0
    return {
        "kind": kind, "name": name, "x": x, "y": y, "width": WIDE, "height": HIGH, "hue": hues.get(name, 0), "failed": failed,
        "said": f"{said}, {failed:,} failed" if failed else said, "text_x": x + 14, "name_y": y + 19, "said_y": y + 35,
    }  # fmt: skip


def _curve(left: float, y1: float, right: float, y2: float) -> tuple[str, tuple[float, float]]:
    """From the side of one box to the side of another; what goes back stands a little lower."""
    if right > left:
        x1, x2, bend = left + WIDE, right - 2, (right - left - WIDE) / 2
    elif right < left:
        x1, x2, bend, y1, y2 = left, right + WIDE + 2, (right + WIDE - left) / 2, y1 + 11, y2 + 11
    else:
        x1, x2, bend = left + WIDE, right + WIDE + 2, 70.0
    near = x1 + bend, x2 - bend if right != left else x2 + bend
    path = f"M{x1:.0f} {y1:.0f}C{near[0]:.0f} {y1:.0f} {near[1]:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    if right < left:  # below where it comes from, out of the way of what goes there
        return path, (x1 - 10, y1 + 22)
    return path, ((x1 + x2) / 2 + (0.75 * bend if right == left else 0), (y1 + y2) / 2)


def _edge(
    edge: Edge, places: Mapping[Side, tuple[float, float]], usual: Mapping[str, int], back: Mapping[str, str]
) -> dict[str, Any]:
    (left, top), (right, below) = places[edge.source], places[edge.target]
    path, label = _curve(left, top + HIGH / 2, right, below + HIGH / 2)
    longest = max(edge.waits, default=None)
    common = usual.get(edge.source[1]) if edge.kind == "take" else None
    far = longest is not None and common is not None and longest >= max(SECOND, 10 * common)
    return {
        "path": path, "x": label[0], "y": label[1] - 4, "below_y": label[1] + 11, "back": right < left, "kind": edge.kind,
        "source": edge.source[1], "target": edge.target[1], "count": edge.count, "failed": edge.failed, "open": edge.open,
        "again": edge.again, "wait": edge.usual, "longest": longest, "usual": common, "far": far or (longest or 0) >= 30 * SECOND,
        "work": sorted(edge.works)[(len(edge.works) - 1) // 2] if edge.works else None,
        "href": link(f"/facts/{edge.fact}", back) if edge.fact else "", "fact": edge.fact,
    }  # fmt: skip
