"""Writing the index: one process, many threads, each fact once, durable by group commit.

A batch passes three stages. *Prepare*, side by side with others: look its ids up in the
newest commit, encode what is new. *Add*, one batch at a time: compare with what others
added since, hand the rest to the engine. *Commit*: one of the waiting batches commits for
all of them, at once where no other is being prepared, else every ``INTERVAL``.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

import tantivy

from timeline.domain import Stored
from timeline.errors import StoreUnavailable
from timeline.ingest.identity import variant_id
from timeline.search.tokens import field_token
from timeline.storable import Storable
from timeline.store.codec import Codec, Packer
from timeline.store.fields import Draft
from timeline.store.port import ItemReport
from timeline.store.tantivy import folder
from timeline.store.tantivy.compile import between, both, exactly, token
from timeline.store.tantivy.reader import Reader
from timeline.store.tantivy.reclaim import left_over, parts, wasteful
from timeline.store.tantivy.schema import document, draft
from timeline.store.turn import TURN

INTERVAL: Final = 0.5  # s between commits while batches are being prepared
FREEING: Final = 60.0  # s an expiry waits for merges; later commits free the rest
HEAP: Final = 96_000_000  # bytes the engine gathers before it writes a segment by itself


class _Known(NamedTuple):
    """What is remembered of a fact: enough to tell a repeat from a variant."""

    content: str
    request: str
    partial: bool


class _Ready(NamedTuple):
    """A fact made ready to be added."""

    stored: Storable
    document: str


_Plan = list["_Ready | ItemReport"]


class Writer:
    """The one writer of an index folder; safe for use by several threads."""

    def __init__(self, path: Path, codec: Codec, reader: Reader) -> None:
        self._path, self._reader = path, reader
        self._packer = Packer(codec)
        self._packer.start()
        self._index = folder.open_index(path)
        self._engine: tantivy.IndexWriter | None = self._open()
        # _turn guards everything below; _adding guards the engine and is taken first.
        self._adding = threading.Lock()
        self._expiring = threading.Lock()
        self._turn = threading.Condition()
        self._preparing = 0
        self._committing = False
        self._added = self._durable = 0  # batches: numbers of the last ones
        # Numbers of batches that went with an engine, each first one exclusive. A later commit makes
        # what came after them durable and may pass them before they have seen that they are lost.
        self._lost: deque[tuple[int, int]] = deque(maxlen=64)
        self._failure: StoreUnavailable | None = None
        self._last_commit = 0.0
        self._generation = 0
        self._starts: list[int] = []  # generations that running batches looked their ids up in
        self._fresh: dict[str, _Known] = {}  # added, not committed
        self._recent: deque[tuple[int, dict[str, _Known]]] = deque()  # committed while others prepared
        self._paused = self._closed = False

    def _open(self) -> tantivy.IndexWriter:
        with folder.engine(
            f"opening {self._path} for writing",
            "stop the other worker on this folder, or give this one a folder of its own: "
            "one process writes an embedded index",
        ):
            return self._index.writer(HEAP, 1)

    # -- a batch ---------------------------------------------------------------------------

    def write(self, facts: Sequence[Storable]) -> list[ItemReport]:
        """Store facts once each; returns when they are durable."""
        if not facts:
            return []
        generation = self._begin()
        preparing = True
        try:
            with TURN:
                plan = self._prepare(facts)
            # a commit may hold the engine for long: meanwhile other batches take their turn
            with self._adding, TURN:
                reports = self._add(plan, generation)
                with self._turn:
                    number = self._added
                    self._preparing -= 1
                    preparing = False
                    self._turn.notify_all()
            self._wait(number)
        finally:
            with self._turn:
                if preparing:
                    self._preparing -= 1
                self._starts.remove(generation)
                self._forget()
                self._turn.notify_all()
        return reports

    def _begin(self) -> int:
        with self._turn:
            while self._paused and not self._closed:
                self._turn.wait()
            if self._closed:
                raise StoreUnavailable("the embedded index was closed", remedy="write after the restart")
            self._preparing += 1
            self._starts.append(self._generation)
            return self._generation

    def _prepare(self, facts: Sequence[Storable]) -> _Plan:
        """Reports for what the newest commit holds already, documents for the rest."""
        known = self._reader.state().lookup(dict.fromkeys(stored.receipt.id for stored in facts))
        open_ = [self._open_one(stored, known.get(stored.receipt.id)) for stored in facts]
        ready = iter(self._ready([item for item in open_ if isinstance(item, Draft)]))
        return [next(ready) if isinstance(item, Draft) else item for item in open_]

    def _open_one(self, stored: Storable, there: Stored | None) -> Draft | ItemReport:
        """A fact drafted, or what becomes of it, given what stands under its id."""
        if there is None:
            return draft(stored)
        if there.receipt.content == stored.receipt.content:
            return _already(there.receipt.id, there.receipt.request, partial=there.receipt.partial)
        return self._variant(stored)

    def _variant(self, stored: Storable) -> Draft | ItemReport:
        """Other content of a stored fact: kept under an id of its own."""
        own = variant_id(stored)
        there = self._reader.state().lookup([own]).get(own)
        if there is not None:
            return _already(own, there.receipt.request, partial=there.receipt.partial)
        return draft(stored.marked(id=own, variant=True))

    def _ready(self, drafts: Sequence[Draft]) -> list[_Ready]:
        blobs = self._packer.pack([one.packed for one in drafts])
        return [_Ready(one.stored, document(one, blob)) for one, blob in zip(drafts, blobs, strict=True)]

    def _add(self, plan: _Plan, generation: int) -> list[ItemReport]:
        """Hand what is new to the engine; holds ``_adding``."""
        with self._turn:
            others = [known for committed, known in self._recent if committed > generation]
        reports: list[ItemReport] = []
        with folder.engine("adding facts"), self._engine_lost():
            for item in plan:
                if isinstance(item, ItemReport):
                    reports.append(item)
                else:
                    reports.append(self._add_one(item, others))
        with self._turn:
            self._added += 1
        return reports

    def _add_one(self, ready: _Ready, others: list[dict[str, _Known]]) -> ItemReport:
        receipt = ready.stored.receipt
        there = self._newly(receipt.id, others)
        if there is not None and there.content != receipt.content and not receipt.variant:
            return self._add_variant(ready.stored, others)
        if there is not None:
            return _already(receipt.id, there.request, partial=there.partial)
        self._engine_now().add_json(ready.document)
        self._fresh[receipt.id] = _Known(receipt.content, receipt.request, receipt.partial)
        outcome: Literal["variant", "stored"] = "variant" if receipt.variant else "stored"
        return ItemReport(id=receipt.id, outcome=outcome, partial=receipt.partial)

    def _add_variant(self, stored: Storable, others: list[dict[str, _Known]]) -> ItemReport:
        made = self._variant(stored)
        if isinstance(made, ItemReport):
            return made
        return self._add_one(self._ready([made])[0], others)

    def _newly(self, fact_id: str, others: list[dict[str, _Known]]) -> _Known | None:
        """What was stored under an id since the batch at hand looked."""
        there = self._fresh.get(fact_id)
        for known in others:
            there = there or known.get(fact_id)
        return there

    # -- commits ---------------------------------------------------------------------------

    def _wait(self, number: int) -> None:
        """Return when batch ``number`` is durable; raise where it was lost instead."""
        while True:
            with self._turn:
                while True:
                    if any(durable < number <= last for durable, last in self._lost):
                        raise _lost(self._failure)
                    if self._durable >= number:
                        return
                    left = self._last_commit + INTERVAL - time.monotonic()
                    if not self._committing and (not self._preparing or left <= 0):
                        self._committing = True
                        break
                    self._turn.wait(None if self._committing else max(left, 0.001))
            self._commit()

    def _commit(self) -> None:
        """Make durable what was added; the caller has set ``_committing``."""
        try:
            with self._adding:
                self._commit_added()
        finally:
            with self._turn:
                self._committing = False
                self._turn.notify_all()

    def _commit_added(self, *, always: bool = False) -> None:
        """Holds ``_adding``."""
        with self._turn:
            number = self._added
            self._last_commit = time.monotonic()
        if not self._fresh and not always:
            # Repeats alone: what they repeat is durable already.
            with self._turn:
                self._durable = max(self._durable, number)
            return
        with folder.engine("committing"), self._engine_lost():
            self._engine_now().commit()
        with self._turn:
            self._durable = number
            self._generation += 1
            self._recent.append((self._generation, self._fresh))
            self._fresh = {}
            self._forget()

    def _forget(self) -> None:
        """Let go of commits that every running batch has looked its ids up in."""
        oldest = min(self._starts, default=self._generation)
        while self._recent and self._recent[0][0] <= oldest:
            self._recent.popleft()

    # -- failures --------------------------------------------------------------------------

    def _engine_now(self) -> tantivy.IndexWriter:
        if self._engine is None:
            self._engine = self._open()
        return self._engine

    def _engine_lost(self) -> _Lost:
        return _Lost(self)

    def lose(self, error: BaseException) -> None:
        """Give up the engine after a failure, and with it all that was not committed."""
        with self._turn:
            self._added += 1  # the batch being added included
            self._lost.append((self._durable, self._added))
            failure = StoreUnavailable(
                f"facts could not be made durable: {str(error)[:300]}",
                remedy="check the disk of the index folder for free space and errors",
            )
            failure.__cause__ = error
            self._failure = failure
            self._fresh = {}
            self._turn.notify_all()
        self._engine = None

    # -- expiry ----------------------------------------------------------------------------

    def expire(self, before: int, workspace: str) -> int:
        """Remove facts of a workspace placed before ``before``; returns how many went."""
        doomed = both(between("placed", None, before - 1), token(field_token("workspace", workspace)))
        with self._expiring:
            count = self._remove(doomed)
            if count:
                self._empty()
        return count

    def _empty(self) -> None:
        """Empty the segments that are largely dead, those included that running merges make of them."""
        tried: set[str] = set()
        while True:
            doomed = wasteful(self._path) - tried
            tried |= doomed
            for living in parts(self._path, self._reader, doomed):
                self._move(living)
            self._free()
            if not wasteful(self._path) - tried:
                return

    def _free(self) -> None:
        """Drop the files of emptied segments, once running merges have let go of them."""
        deadline = time.monotonic() + FREEING
        while True:
            with self._adding, folder.engine("freeing disk"), self._engine_lost():
                self._reader.state()  # this process, too, must let go
                self._engine_now().garbage_collect_files()
            if not left_over(self._path) or time.monotonic() > deadline:
                return
            time.sleep(0.05)

    def _remove(self, doomed: tantivy.Query) -> int:
        """Delete while no batch runs: one that looked before must not bring anything back."""
        with self._turn:
            self._paused = True
            while self._starts:
                self._turn.wait()
        try:
            with self._adding:
                count = self._reader.state().count(doomed)
                if count:
                    with folder.engine("expiring facts"), self._engine_lost():
                        self._engine_now().delete_documents_by_query(doomed)
                        self._engine_now().commit()
        finally:
            with self._turn:
                self._paused = False
                self._turn.notify_all()
        return count

    def _move(self, living: list[Stored]) -> None:
        """Write facts anew and drop their old copies, in one commit."""
        drafts = [draft(stored) for stored in living]
        moved = self._ready([one for one in drafts if isinstance(one, Draft)])
        with self._adding:
            with folder.engine("moving facts"), self._engine_lost():
                for ready in moved:
                    self._engine_now().delete_documents_by_query(exactly(ready.stored.receipt.id))
                    self._engine_now().add_json(ready.document)
            self._commit_added(always=True)

    def close(self) -> None:
        """Finish what is under way and let go of the lock."""
        with self._expiring:
            with self._turn:
                self._closed = True
                self._turn.notify_all()
                while self._starts:
                    self._turn.wait()
            with self._adding:
                self._shut()

    def _shut(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            with folder.engine("closing the index"):
                engine.wait_merging_threads()


class _Lost:
    """Around calls of the engine: after any failure the engine is not trusted again."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._writer.lose(error)


def _already(fact_id: str, request: str, *, partial: bool) -> ItemReport:
    return ItemReport(id=fact_id, outcome="already", request=request, partial=partial)


def _lost(failure: StoreUnavailable | None) -> StoreUnavailable:
    """A failure of its own for each waiting batch, with the same cause."""
    message, remedy = (failure.message, failure.remedy) if failure else ("facts were not made durable", "")
    error = StoreUnavailable(message, remedy=remedy)
    error.__cause__ = failure.__cause__ if failure else None
    return error
