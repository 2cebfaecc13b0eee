"""The inbox as a state machine: no order of claims, failures and releases loses or doubles a request."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from timeline.inbox import inbox as module
from timeline.inbox.inbox import LEASE, Entry, Inbox
from timeline.ingest.request import Accepted

SENDERS = ("", "a", "b", "flood")


class _Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000 * 10**9

    def time_ns(self) -> int:
        self.now += 1
        return self.now

    def monotonic(self) -> float:
        return self.now / 1e9


class Machine(RuleBasedStateMachine):
    """Compares the inbox with a plain dict of what was accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="throughline-machine-"))
        self.clock = _Clock()
        self._time = module.time
        module.time = self.clock  # type: ignore[assignment]
        self.inbox = Inbox(self.folder / "inbox.sqlite3")
        self.inbox._connection.execute("PRAGMA synchronous = OFF")
        self.waiting: dict[str, Accepted] = {}
        self.attempts: Counter[str] = Counter()
        self.leases: dict[str, tuple[list[str], int]] = {}  # ids, until
        self.aside: dict[str, int] = {}
        self.received: Counter[str] = Counter()
        self.number = 0

    def teardown(self) -> None:
        module.time = self._time  # type: ignore[assignment]
        shutil.rmtree(self.folder)

    @rule(sender=st.sampled_from(SENDERS), count=st.integers(1, 30), items=st.integers(0, 60))
    def accept(self, sender: str, count: int, items: int) -> None:
        """Requests of one sender, in one commit."""
        made = []
        for _ in range(count):
            self.number += 1
            name = f"r{self.number}"
            made.append(
                Accepted(
                    id=name, signal="logs", content_encoding="", headers={}, body=b"x" * (self.number % 50),
                    received=0, sender=sender, digest=name.encode(), items=items,
                )
            )  # fmt: skip
        self.inbox.accept(made, [Entry(sender=sender, what="received", items=items * count)])
        self.received[sender] += items * count
        self.waiting |= {one.id: one for one in made}

    @rule(items=st.integers(1, 400), size=st.integers(1, 400))
    def claim(self, items: int, size: int) -> None:
        """A batch: free requests only, within the bounds, what was tried alone."""
        now = self.clock.now
        held = {name for ids, until in self.leases.values() if until >= now for name in ids}
        free = {name for name in self.waiting if name not in held and self.aside.get(name, 0) < now}
        lease, batch = self.inbox.claim(items=items, size=size)
        ids = [one.request.id for one in batch]
        assert bool(free) == bool(ids)
        assert set(ids) <= free
        assert len(set(ids)) == len(ids)
        assert ids == sorted(ids, key=lambda name: int(name[1:]))
        assert [self.attempts[name] for name in ids] == [one.attempts for one in batch]
        assert len(ids) == 1 or not any(one.attempts for one in batch)
        if len(ids) > 1:
            assert sum(max(one.request.items, 1) for one in batch) <= items
            assert sum(len(one.request.body) for one in batch) <= size
        for name in ids:
            self.attempts[name] += 1
            self.aside.pop(name, None)
        for other, (named, until) in list(self.leases.items()):  # what was taken over
            self.leases[other] = ([name for name in named if name not in ids], until)
        if ids:
            self.leases[lease] = (ids, self.clock.now + LEASE)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """All or some of a batch, in time or late."""
        if not self.leases:
            return
        lease = list(self.leases)[data.draw(st.integers(0, len(self.leases) - 1))]
        ids, _ = self.leases.pop(lease)
        done = ids[: data.draw(st.integers(0, len(ids)))]
        stale = [name for name in self.waiting if name not in done][:1]  # of no, or of another's, lease
        lines = {
            name: [Entry(sender=self.waiting[name].sender, what="new", items=self.waiting[name].items)]
            for name in (*done, *stale)
        }
        ours = set(stale) & set(ids)
        assert len(done) + len(ours) == self.inbox.release(lease, lines)
        for name in (*done, *ours):
            del self.waiting[name]
        left = [name for name in ids if name in self.waiting]
        if left:
            self.inbox.give_back(lease)
            for name in left:
                self.attempts[name] -= 1

    @rule(data=st.data(), attempted=st.booleans(), wait=st.sampled_from([0, 5 * 10**9]))
    def give_back(self, data: st.DataObject, attempted: bool, wait: int) -> None:
        """A batch that failed, as an attempt or not, perhaps to be left alone for a while."""
        if not self.leases:
            return
        lease = list(self.leases)[data.draw(st.integers(0, len(self.leases) - 1))]
        ids, _ = self.leases.pop(lease)
        self.inbox.give_back(lease, attempted=attempted, wait=wait)
        for name in ids:
            self.attempts[name] -= not attempted
            self.aside[name] = self.clock.now + wait if wait else 0

    @rule(seconds=st.sampled_from([1, 6, 61]))
    def time_passes(self, seconds: int) -> None:
        """Senders fall behind, leases run out."""
        self.clock.now += seconds * 10**9

    @invariant()
    def the_books_are_even(self) -> None:
        """Of every sender, at every instant; and nothing but what waits is counted as waiting."""
        books = self.inbox.books()
        new = {line.sender: line.items for line in books.tallies if line.what == "new"}
        inbox = {one.sender: one.items for one in books.waiting}
        for sender in SENDERS:
            assert self.received[sender] == new.get(sender, 0) + inbox.get(sender, 0)
        assert len(self.waiting) == books.backlog.requests == self.inbox.backlog().requests
        assert books.backlog.oldest == self.inbox.backlog().oldest


TestInbox = Machine.TestCase
TestInbox.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
