"""The newest facts of a question, page by page."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from timeline.domain import Stored
from timeline.errors import StoreUnavailable
from timeline.search.query import Query
from timeline.store.port import Store

_PAGE = 1_000


def newest(store: Store, query: Query, most: int) -> Iterator[Stored]:
    """Up to ``most`` facts, the newest first. Raises ``StoreUnavailable`` where the store could answer
    in part only: what is added up from a part would pass for the whole."""
    return itertools.islice(_walk(store, query, min(most, _PAGE)), most)


def _walk(store: Store, query: Query, page_of: int) -> Iterator[Stored]:
    cursor = None
    while True:
        page = store.search(query, limit=page_of, cursor=cursor)
        if page.partial:
            raise StoreUnavailable(
                f"the store answered in part: {page.partial[0]}", remedy="ask again in a moment"
            )
        yield from page.facts
        cursor = page.next
        if cursor is None:
            return
