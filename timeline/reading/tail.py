"""Following a search live: what was received since the last look, each fact once.

The cursor is a received time and never passes the moment up to which everything received has been searched:
a fact that is stored late, by this node or another, is still ahead of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from timeline.answers import TailAnswer
from timeline.reading.coverage import CoverageReader
from timeline.reading.search import Ask, scoped, understand
from timeline.redaction.asking import Asking
from timeline.search.query import Query, Window
from timeline.store.port import Store

MOST: Final = 500  # facts in one answer


def tail(
    store: Store,
    coverage: CoverageReader,
    rules: Callable[[str], Mapping[str, str]],
    asking: Callable[[str], Asking],
    ask: Ask,
    after: int,
) -> TailAnswer:
    """The matches received since ``after`` (ns), at most ``ask.limit`` or 500 of the newest.

    The question's range is of no account but for its clock: late facts show too. Raises ``BadQuery``
    and ``Unavailable``.
    """
    understood = understand(ask.text, rules(ask.workspace), asking(ask.workspace))
    where = scoped(understood.node, ask.environment)
    gathered = coverage.gather(Window(start=after, on="received"), ask.workspace)  # before the store is asked
    up_to, now = gathered.evidence.up_to, gathered.evidence.now
    if up_to <= after:  # something stands in the way, or nothing can be new yet
        return TailAnswer(after=after, up_to=after, now=now)
    query = Query(where=where, window=Window(start=after, end=up_to, on="received"), workspace=ask.workspace)
    limit = min(ask.limit, MOST)
    page = store.search(query, order="received", limit=limit)
    skipped, partial = 0, page.partial
    if page.next is not None:
        count = store.count(query)
        skipped = max(0, count.value + count.variants - len(page.facts))
        partial = tuple(dict.fromkeys((*partial, *count.partial)))
    return TailAnswer(
        after=after,
        up_to=up_to,
        now=now,
        rows=page.rows,
        facts=page.facts,
        skipped=skipped,
        partial=partial,
    )
