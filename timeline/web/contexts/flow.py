"""The flow graph of a trace: boxes and curves as numbers of pixels, and the same as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from timeline.answers import TraceAnswer
from timeline.rebuild.flow import Edge, Graph, Side, graph
from timeline.rebuild.layers import Layout, layout
from timeline.search.times import SECOND
from timeline.web import words
from timeline.web.contexts.frame import link
from timeline.web.contexts.graph import curve, through

WIDE, HIGH, DOWN, EDGE = 144, 44, 88, 24  # px: a box, from box to box, around
GAP: Final = 72  # px from rank to rank at the least; labels take more
LETTER: Final = 6.2  # px
WAIT: Final = 14  # letters of a wait
FITS: Final = 1_080, 1_800  # px; a drawing between these shrinks to the room there is, as far as the first


def flow_view(answer: TraceAnswer, hues: Mapping[str, int], back: Mapping[str, str]) -> dict[str, Any]:
    """The graph, laid out from left to right as things flow."""
    found = graph(answer.timeline)
    keys = {node: " ".join(node) for node in found.nodes}
    laid = layout(keys.values(), ((keys[edge.source], keys[edge.target]) for edge in found.edges))
    labels = [_labels(edge) for edge in found.edges]
    lefts, rows = _lefts(laid, keys, found.edges, labels), max(map(len, laid.layers), default=1)
    places = _placed(laid, lefts)
    slow = _slow(answer)
    edges = []
    for edge, said in zip(found.edges, labels, strict=True):
        ends = keys[edge.source], keys[edge.target]
        way = [places[key] for key in laid.routes.get(ends, ())]
        edges.append(_edge(edge, places[ends[0]], places[ends[1]], way, slow, back) | {"said": said})
    width = lefts[-1] + EDGE - GAP
    return {
        "width": width,
        "height": 2 * EDGE + DOWN * (rows - 1) + HIGH + 24,
        "shrinks": FITS[0] < width < FITS[1],
        "nodes": [_node(found, node, places[key], hues) for node, key in keys.items()],
        "edges": edges,
    }


def _labels(edge: Edge) -> list[tuple[str, str]]:
    """What stands on a line, each part with its tone."""
    if edge.kind == "call":
        parts = [(words.plural(edge.count, "call"), "")]
    elif edge.kind == "send":
        parts = [(f"{edge.count:,} sent", "")]
    else:
        parts = [(f"{edge.count:,} taken" if edge.count else "not taken", "")]
    if edge.again:
        parts.append((f", {edge.again:,} again", ""))
    if edge.failed:
        parts.append((f", {edge.failed:,} failed", "red"))
    if edge.open and edge.count:
        parts.append((f", {edge.open:,} not", "amber"))
    return parts


def _lefts(
    laid: Layout, keys: Mapping[Side, str], edges: Sequence[Edge], labels: Sequence[list[tuple[str, str]]]
) -> list[int]:
    """Where each rank begins and where one more would, px: a label has room before the rank it leads to,
    of a line that leads back before the one it comes from."""
    rank_of = {key: rank for rank, layer in enumerate(laid.layers) for key in layer}
    gaps = [float(GAP)] * max(1, len(laid.layers))
    for edge, said in zip(edges, labels, strict=True):
        source, target = rank_of[keys[edge.source]], rank_of[keys[edge.target]]
        before = target - 1 if target > source else source if target == source else max(0, source - 1)
        size = max(sum(len(text) for text, _ in said), WAIT if edge.waits else 0) * LETTER
        gaps[before] = max(gaps[before], size + (60 if target == source else 28))
    lefts = [EDGE]
    for gap in gaps:
        lefts.append(lefts[-1] + WIDE + round(gap))
    return lefts


def _placed(laid: Layout, lefts: Sequence[int]) -> dict[str, tuple[int, int]]:
    """Corner of each box and of each place where a line passes by, px."""
    rows = max(map(len, laid.layers), default=1)
    return {
        key: (lefts[rank], EDGE + DOWN * (rows - len(layer)) // 2 + DOWN * number)
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
