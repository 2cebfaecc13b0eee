"""What the story must be rebuilt to, written by hand: one graph, one timeline, for every style."""

from __future__ import annotations

from tests.zoo.story import ITEMS

Hop = tuple[str, str, str, int, str]

# producer   destination  consumer      attempt  outcome
HOPS: list[Hop] = [
    ("shop", "orders", "payments", 1, "failed"),
    ("shop", "orders", "payments", 2, "done"),
    ("shop", "orders", "audit", 1, "done"),
    ("payments", "paid", "packing", 1, "done"),
    ("packing", "parcels", "mail", 1, "done"),
    ("mail", "late", "courier", 1, "done"),
    *[("shop", "items", "counting", 1, "done")] * ITEMS,
    ("shop", "invoices", "billing", 1, "done"),
    ("billing", "graveyard", "undertaker", 1, "done"),
]

# lane        what it does about the order
TIMELINE: list[tuple[str, str]] = [
    ("shop", "check out"),
    ("payments", "charge the card"),
    ("payments", "charge the card"),
    ("audit", "write it down"),
    ("packing", "pack"),
    ("mail", "find it late"),
    ("courier", "deliver"),
    *[("counting", "count")] * ITEMS,
    ("billing", "read the invoice"),
    ("undertaker", "bury"),
]
