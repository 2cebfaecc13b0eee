"""What was just before and after one fact, whatever it is about."""

from __future__ import annotations

from timeline.ingest.identity import placed
from timeline.search.query import All, Query, Window
from timeline.store.port import Order, Store


def around(store: Store, fact_id: str, near: int, workspace: str) -> Window | None:
    """A range (ns, half-open) that holds ``near`` facts on each side, where there are so many.

    ``None`` where no fact has this id. Facts of the very same moment are all inside.
    """
    stored = store.get([fact_id], workspace=workspace)[0]
    if stored is None:
        return None
    at = placed(stored)

    def end_of(window: Window, order: Order) -> int:
        page = store.search(Query(where=All(), window=window, workspace=workspace), limit=near, order=order)
        return placed(page.facts[-1]) if page.facts else at

    low = end_of(Window(end=at), "newest")
    high = end_of(Window(start=at + 1), "oldest")
    return Window(start=min(low, at), end=max(high, at) + 1)
