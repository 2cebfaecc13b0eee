"""Graphs are laid out left to right, the same every time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from timeline.rebuild.layers import layout

NODES = st.sampled_from("abcdefgh")
EDGES = st.lists(st.tuples(NODES, NODES), max_size=24)


def test_a_chain_is_a_layer_each() -> None:
    assert (("a",), ("b",), ("c",)) == layout("cab", [("a", "b"), ("b", "c")]).layers


def test_an_edge_that_passes_layers_gets_a_waypoint_in_each() -> None:
    laid = layout("abcd", [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")])
    (way,) = laid.routes.values()
    assert 2 == len(way)
    assert [way[0] in laid.layers[1], way[1] in laid.layers[2]] == [True, True]


def test_lines_do_not_cross_where_they_need_not() -> None:
    laid = layout(["p", "q", "x", "y"], [("p", "y"), ("q", "x")])
    order = [node for layer in laid.layers for node in layer]
    assert (order.index("p") < order.index("q")) == (order.index("y") < order.index("x"))


def test_a_circle_is_cut_once() -> None:
    laid = layout("abc", [("a", "b"), ("b", "c"), ("c", "a")])
    assert (("a",), ("b",), ("c",)) == laid.layers
    assert (("a",),) == layout("a", [("a", "a")]).layers


def test_nothing_is_laid_out_as_nothing() -> None:
    assert () == layout((), ()).layers


@given(EDGES)
def test_every_node_stands_once_and_edges_lead_on(edges: list[tuple[str, str]]) -> None:
    nodes = {node for edge in edges for node in edge}
    laid = layout(nodes, edges)
    placed = {node: number for number, layer in enumerate(laid.layers) for node in layer}
    assert nodes == {node for node in placed if "\0" not in node}
    assert sum(map(len, laid.layers)) == len(placed)
    for (source, target), way in laid.routes.items():
        assert list(range(placed[source] + 1, placed[target])) == [placed[waypoint] for waypoint in way]
    backwards = [edge for edge in edges if placed[edge[0]] >= placed[edge[1]]]
    if not backwards:
        assert laid == layout(nodes, list(reversed(edges)))


@given(EDGES)
def test_without_circles_no_edge_leads_back(edges: list[tuple[str, str]]) -> None:
    ordered = [(min(edge), max(edge)) for edge in edges if edge[0] != edge[1]]
    laid = layout({node for edge in ordered for node in edge}, ordered)
    placed = {node: number for number, layer in enumerate(laid.layers) for node in layer}
    assert all(placed[source] < placed[target] for source, target in ordered)
