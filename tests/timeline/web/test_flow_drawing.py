"""How the flow graph of a trace is laid out."""

from __future__ import annotations

import itertools

from timeline.rebuild.flow import Edge, Side
from timeline.rebuild.layers import layout
from timeline.web.contexts.flow import GAP, LETTER, WIDE, _labels, _lefts

ORDERS: Side = ("service", "orders")
TOPIC: Side = ("destination", "placed")
STOCK: Side = ("service", "stock")


def gaps(*edges: Edge) -> list[int]:
    """From rank to rank, and after the last, px."""
    keys = {side: " ".join(side) for edge in edges for side in (edge.source, edge.target)}
    laid = layout(keys.values(), ((keys[edge.source], keys[edge.target]) for edge in edges))
    lefts = _lefts(laid, keys, edges, [_labels(edge) for edge in edges])
    return [right - left - WIDE for left, right in itertools.pairwise(lefts)]


def test_ranks_stand_as_far_apart_as_what_is_said_between_them_needs() -> None:
    sent = Edge(source=ORDERS, target=TOPIC, kind="send", count=1)
    taken = Edge(source=TOPIC, target=STOCK, kind="take", count=1_234, again=12, failed=11, open=3)
    said = "".join(text for text, _ in _labels(taken))
    assert said == "1,234 taken, 12 again, 11 failed, 3 not"
    near, far, after = gaps(sent, taken)
    assert (GAP, GAP) == (near, after)
    assert far > len(said) * LETTER


def test_a_call_to_itself_has_room_after_its_rank_and_one_back_before_it() -> None:
    itself = Edge(source=ORDERS, target=ORDERS, kind="call", count=1_000_000)
    assert gaps(itself)[0] > GAP
    there = Edge(source=ORDERS, target=STOCK, kind="call", count=1)
    back = Edge(source=STOCK, target=ORDERS, kind="call", count=1_000_000_000)
    assert [True, False] == [gap > GAP for gap in gaps(there, back)]
