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
# What OpenTelemetry's own packages tell otherwise: they keep the sender's `traceparent` on a message that is
# sent on, see no error of a handler, and aiokafka's has no span around one.
_STALE: dict[Hop, list[Hop]] = {
    ("mail", "late", "courier", 1, "done"): [
        ("packing", "late", "courier", 1, "done"),
        ("mail", "late", "", 1, "unknown"),
    ],
    ("billing", "graveyard", "undertaker", 1, "done"): [
        ("shop", "graveyard", "undertaker", 1, "done"),
        ("billing", "graveyard", "", 1, "unknown"),
    ],
}
_NO_ERROR: dict[Hop, list[Hop]] = {
    ("shop", "orders", "payments", 1, "failed"): [("shop", "orders", "payments", 1, "done")]
}
_told = [hop for row in HOPS for hop in (_STALE | _NO_ERROR).get(row, [row])]

STOCK: dict[str, list[Hop]] = {
    "stock aio-pika": HOPS,  # a table of headers holds one of each, and a failed callback ends its span so
    "stock confluent-kafka": _told,
    "stock kafka-python": _told,
    "stock aiokafka": [(*hop[:4], "in flight") if hop[4] == "done" else hop for hop in _told],
}

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
