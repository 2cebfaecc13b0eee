"""Any sequence of calls leaves a store and a plain list with the same answers."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests import builders as b
from tests.contract.pair import ORDERS, Pair, asking
from timeline.domain import Stored
from timeline.search import query as q
from timeline.store.tantivy import TantivyStore

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
KEYS = st.sampled_from(["a", "b", "a.b", "", "a\0", "a="])
SCALARS = st.one_of(
    TEXT,
    st.sampled_from(["x", "ord-123", "two words", "A", "true", "1"]),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),  # decoding keeps it as text: it would equal nothing, itself included
    st.booleans(),
    st.none(),
    st.binary(max_size=4),
)
ATTRIBUTES = st.dictionaries(KEYS, SCALARS | st.lists(SCALARS, max_size=2), max_size=3)
TIMES = st.one_of(st.none(), st.sampled_from([0, b.NOW, b.NOW + 1, 1 << 62]), st.integers(b.NOW, b.NOW + 5))
NUMBERS = st.none() | st.integers(-3, 3).map(float) | st.floats(allow_nan=False)


@st.composite
def facts(draw: st.DrawFn) -> Stored:
    """A span or an event among few identities, times and texts, so that they meet."""
    common = {
        "attributes": draw(ATTRIBUTES),
        "name": draw(st.sampled_from(["work", "settle bet", "ord-123 failed"])),
        "service": draw(st.sampled_from(["", "orders", "wallet"])),
        "entities": draw(st.sampled_from([(), b.entities("order:1"), b.entities("order:1", "bet:2")])),
    }
    number = draw(st.integers(0, 6))
    if draw(st.booleans()):
        at = draw(TIMES)
        took = draw(st.none() | st.integers(0, 3))
        end = None if at is None or took is None else at + took
        status = draw(st.sampled_from(["ok", "error"]))
        fact = b.span(trace=1, number=number, start=at, end=end, status=status, **common)
    else:
        fact = b.event(number, at=draw(TIMES), body=draw(SCALARS | ATTRIBUTES), **common)
    return b.stored(
        fact,
        workspace=draw(st.sampled_from(["main", "other"])),
        tie=draw(st.integers(0, 2)),
        received=draw(st.integers(b.NOW, b.NOW + 3)),
        request=draw(st.sampled_from(["r1", "r2"])),
    )


LEAVES = st.one_of(
    st.just(q.All()),
    st.builds(
        q.FieldIs, st.sampled_from(["service", "fact", "status", "name"]), st.sampled_from(["orders", "span"])
    ),
    st.builds(
        q.FieldStarts, st.sampled_from(["service", "name", "event_id"]), st.sampled_from(["", "o", "ev"])
    ),
    st.builds(q.FieldBetween, st.just("duration"), NUMBERS, NUMBERS, st.booleans(), st.booleans()),
    st.builds(q.AttributeIs, KEYS, st.sampled_from(["x", "1", "true", "two words"]) | TEXT),
    st.builds(q.AttributeStarts, KEYS, TEXT),
    st.builds(q.AttributeBetween, KEYS, NUMBERS, NUMBERS, st.booleans(), st.booleans()),
    st.builds(q.AttributeExists, KEYS),
    st.builds(q.ValueIs, st.just("ord-123")),
    st.builds(q.EntityIs, st.sampled_from(b.entities("order:1", "bet:2")), st.booleans()),
    st.builds(
        q.Words, st.sampled_from([("work",), ("settle", "bet"), ("bet", "se")]), st.booleans(), st.booleans()
    ),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(q.Not, inner),
        st.builds(q.And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(q.Or, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=5,
)
EDGES = st.none() | st.integers(b.NOW - 1, b.NOW + 6)
WINDOWS = st.builds(q.Window, start=EDGES, end=EDGES, on=st.sampled_from(["event", "received", "either"]))
QUERIES = st.builds(q.Query, where=TREES, window=WINDOWS, workspace=st.sampled_from(["main", "other"]))


class StoreMachine(RuleBasedStateMachine):
    """Writes, questions, expiries and restarts in any order."""

    @initialize()
    def open(self) -> None:
        # A thread of the engine may still make its lock file a moment after the index was closed.
        self.folder = tempfile.TemporaryDirectory(prefix="throughline-machine-", ignore_cleanup_errors=True)
        self.pair = Pair(self._store())

    def _store(self) -> TantivyStore:
        store = TantivyStore(Path(self.folder.name) / "index", writable=True)
        store.prepare()
        return store

    @rule(batch=st.lists(facts(), min_size=1, max_size=8))
    def write(self, batch: list[Stored]) -> None:
        self.pair.write(batch)

    @rule(before=st.integers(b.NOW - 1, b.NOW + 4), workspace=st.sampled_from(["main", "other"]))
    def expire(self, before: int, workspace: str) -> None:
        expected = self.pair.model.expire(before, workspace=workspace)
        assert expected == self.pair.store.expire(before, workspace=workspace)

    @rule()
    def restart(self) -> None:
        self.pair.store.close()
        self.pair.store = self._store()

    @rule(query=QUERIES, page=st.integers(1, 4))
    def ask(self, query: q.Query, page: int) -> None:
        self.pair.agree(query, page=page)

    @rule(query=QUERIES, interval=st.integers(1, 3))
    def count_over_time(self, query: q.Query, interval: int) -> None:
        if query.window.start is not None and query.window.end is not None:
            expected = self.pair.model.histogram(query, interval=interval)
            assert expected == self.pair.store.histogram(query, interval=interval)

    @rule(key=KEYS)
    def count_values(self, key: str) -> None:
        query = asking(q.All())
        assert self.pair.model.facets(query, [key]) == self.pair.store.facets(query, [key])

    @invariant()
    def holds_the_same_facts(self) -> None:
        if hasattr(self, "pair"):
            assert len(self.pair.model.facts) == self.pair.store.size()["facts"]
            for order in ORDERS:
                page = self.pair.store.search(asking(q.All()), order=order)
                assert tuple(self.pair.model.rows(asking(q.All()), order)[:50]) == page.rows

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            self.pair.store.close()
            self.folder.cleanup()


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=25,
    stateful_step_count=15,
    suppress_health_check=[*settings().suppress_health_check, HealthCheck.data_too_large],
)
