"""The flow graph of a trace: boxes and curves as numbers of pixels, and the same as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from timeline.answers import TraceAnswer
from timeline.rebuild.flow import Edge, Graph, Side, graph
from timeline.rebuild.layers import Layout, layout
from timeline.search.times import SECOND
from timeline.web import words
from timeline.web.contexts.frame import link
from timeline.web.contexts.graph import curve, through

WIDE, HIGH, ACROSS, DOWN, EDGE = 168, 44, 322, 88, 24  # px: a box, from rank to rank, from box to box, around


def flow_view(answer: TraceAnswer, hues: Mapping[str, int], back: Mapping[str, str]) -> dict[str, Any]:
    """The graph, laid out from left to right as things flow."""
    found = graph(answer.timeline)
    keys = {node: " ".join(node) for node in found.nodes}
    laid = layout(keys.values(), ((keys[edge.source], keys[edge.target]) for edge in found.edges))
    places, rows = _placed(laid), max(map(len, laid.layers), default=1)
    slow = _slow(answer)
    edges = []
    for edge in found.edges:
        ends = keys[edge.source], keys[edge.target]
        way = [places[key] for key in laid.routes.get(ends, ())]
        edges.append(_edge(edge, places[ends[0]], places[ends[1]], way, slow, back))
    return {
        "width": 2 * EDGE + ACROSS * (len(laid.layers) - 1) + WIDE,
        "height": 2 * EDGE + DOWN * (rows - 1) + HIGH + 24,
        "nodes": [_node(found, node, places[key], hues) for node, key in keys.items()],
        "edges": edges,
    }


def _placed(laid: Layout) -> dict[str, tuple[int, int]]:
    """Corner of each box and of each place where a line passes by, px."""
    rows = max(map(len, laid.layers), default=1)
    return {
        key: (EDGE + ACROSS * rank, EDGE + DOWN * (rows - len(layer)) // 2 + DOWN * number)
        for rank, layer in enumerate(laid.layers)
        for number, key in enumerate(layer)
    }


def _slow(answer: TraceAnswer) -> dict[str, int]:
    """The usual wait at each destination, where it is known."""
    return {one.destination: one.median for one in answer.usual}


def _node(found: Graph, node: Side, place: tuple[int, int], hues: Mapping[str, int]) -> dict[str, Any]:
    kind, name = node
    x, y = place
    said = "topic or queue" if kind == "destination" else words.plural(found.spans.get(name, 0), "span")
    failed = found.failed.get(name, 0) if kind == "service" else 0
    return {
        "kind": kind, "name": name, "x": x, "y": y, "width": WIDE, "height": HIGH, "hue": hues.get(name, 0), "failed": failed,
        "said": f"{said}, {failed:,} failed" if failed else said, "text_x": x + 14, "name_y": y + 19, "said_y": y + 35,
    }  # fmt: skip


def _line(
    source: tuple[int, int], target: tuple[int, int], way: Iterable[tuple[int, int]]
) -> tuple[str, tuple[float, float]]:
    """From the side of one box to the side of another, and where its label stands: on the last stretch; what
    goes back stands a little lower."""
    (left, y1), (right, y2) = (source[0], source[1] + HIGH // 2), (target[0], target[1] + HIGH // 2)
    if right > left:
        x, end = left + WIDE, right - 2
        passed, x1, middle = through(x, y1, ((at, top + HIGH // 2) for at, top in way), WIDE)
        path = f"M{x} {y1}{passed}{curve(x1, middle, end, y2)}"
        return path, ((x1 + end) / 2, (middle + y2) / 2)
    if right < left:
        x1, end, y1, y2 = left, right + WIDE + 2, y1 + 11, y2 + 11
        return f"M{x1} {y1}{curve(x1, y1, end, y2)}", (x1 - 10, y1 + 22)
    x1, end, bend = left + WIDE, right + WIDE + 2, 70
    return f"M{x1} {y1}C{x1 + bend} {y1} {end + bend} {y2} {end} {y2}", (x1 + 0.75 * bend, (y1 + y2) / 2)


def _edge(
    edge: Edge,
    source: tuple[int, int],
    target: tuple[int, int],
    way: Iterable[tuple[int, int]],
    usual: Mapping[str, int],
    back: Mapping[str, str],
) -> dict[str, Any]:
    path, label = _line(source, target, way)
    left, right = source[0], target[0]
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
