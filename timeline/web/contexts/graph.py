"""Services and destinations as a graph in layers: where each stands, and how the lines run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from timeline.rebuild.layers import layout
from timeline.web import words

WIDE: Final = 140  # px of a node
HIGH: Final = 38
_ACROSS: Final = 212  # px from layer to layer
_DOWN: Final = 62
_EDGE: Final = 8
_FITS: Final = 900  # px; a wider drawing shrinks this far, and scrolls beyond
SERVICE, DESTINATION = "service ", "through "  # what a node's key begins with: the two may have equal names


def graph(nodes: Mapping[str, dict[str, Any]], edges: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The drawing. ``nodes`` by key, each with what its template shows; ``edges`` with ``source``,
    ``target`` and labels. Adds places in px."""
    laid = layout(nodes, ((edge["source"], edge["target"]) for edge in edges))
    tallest = max(map(len, laid.layers), default=0)
    place: dict[str, tuple[int, int]] = {}
    for across, layer in enumerate(laid.layers):
        top = _EDGE + 10 + (tallest - len(layer)) * _DOWN // 2
        for down, key in enumerate(layer):
            place[key] = (_EDGE + across * _ACROSS, top + down * _DOWN)
    width = 2 * _EDGE + max(len(laid.layers) - 1, 0) * _ACROSS + WIDE
    drawn = []
    for edge in edges:
        ends = edge["source"], edge["target"]
        drawn.append(
            {
                **edge,
                **_line(place[ends[0]], place[ends[1]], [place[one] for one in laid.routes.get(ends, ())]),
            }
        )
    return {
        "width": width,
        "shrinks": width > _FITS,
        "height": 2 * _EDGE + 20 + max(tallest - 1, 0) * _DOWN + HIGH,
        "nodes": [
            {
                **shown,
                "x": place[key][0],
                "y": place[key][1],
                "short": words.middle(words.visible(shown["name"]), 17),
            }
            for key, shown in nodes.items()
        ],
        "edges": drawn,
        "wide": WIDE,
        "high": HIGH,
    }


def _line(source: tuple[int, int], target: tuple[int, int], way: Iterable[tuple[int, int]]) -> dict[str, Any]:
    """A curve from the right of one node, past its waypoints, to the left of another; its label stands
    on the last stretch. One that leads back runs below both."""
    x, y = source[0] + WIDE, source[1] + HIGH // 2
    end_x, end_y = target[0], target[1] + HIGH // 2
    tip = f"M{end_x} {end_y}"
    path = f"M{x} {y}"
    if end_x <= x:
        low = max(y, end_y) + _DOWN // 2
        return {
            "path": f"{path}C{x + 40} {low} {end_x - 40} {low} {end_x} {end_y}",
            "x": (x + end_x) // 2,
            "y": low - 4,
            "tip": tip,
        }
    way_on, x, y = through(x, y, ((left, top + HIGH // 2) for left, top in way), WIDE)
    path += way_on
    return {
        "path": path + curve(x, y, end_x, end_y),
        "x": (x + end_x) // 2 - 2,
        "y": (y + end_y) // 2 - 5,
        "tip": tip,
    }


def through(x: int, y: int, way: Iterable[tuple[int, int]], wide: int) -> tuple[str, int, int]:
    """The part of a path that leads past its waypoints (left and middle, px), and where it ends."""
    path = ""
    for left, middle in way:
        path += f"{curve(x, y, left, middle)}L{left + wide} {middle}"
        x, y = left + wide, middle
    return path, x, y


def curve(x: int, y: int, to_x: int, to_y: int) -> str:
    """A bend from one point to another, level at both."""
    bend = (to_x - x) // 2
    return f"C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}"
