"""Bugs put in on purpose: each makes the way in lose, double, change or miscount something, and each
is caught by holding the ledger against every fact. A checker that never fails proves nothing."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from tests.faults.ledger import DAY, Attributes, any_value, judge, unaccounted
from tests.node.otlp import request, span
from tests.receiving import Driven
from tests.timeline.receive.otlp import PROTOBUF
from timeline import indexing
from timeline.domain import Stored
from timeline.errors import StoreUnavailable
from timeline.inbox import inbox as inbox_module
from timeline.inbox.committer import Committer
from timeline.inbox.inbox import Inbox
from timeline.indexing import Drain
from timeline.ingest import facts as ingest_facts
from timeline.ingest.entities import Rules
from timeline.ingest.request import Accepted, BadItem, Decoded
from timeline.models import Quarantined
from timeline.receive import receiver as receiver_module
from timeline.search.query import All, Query
from timeline.store.port import ItemReport
from timeline.store.tantivy import TantivyStore

pytestmark = pytest.mark.django_db
Patch = pytest.MonkeyPatch
REQUESTS, SPANS = 12, 10
SEED = 4711


class FaultyStore:
    """The embedded store, away now and then, that refuses what says so of itself."""

    elsewhere = False
    visibility_lag = 0

    def __init__(self, inner: TantivyStore) -> None:
        self.inner = inner
        self.away = 0  # writes that fail before they begin
        self.dies_after = 0  # writes after which the process ends before it says so

    def write(self, facts: Sequence[Stored], visible: bool = False) -> list[ItemReport]:
        """Write all but what is refused."""
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away", remedy="wait")
        good = [stored for stored in facts if "refuse.me" not in stored.fact.attributes]
        reports = iter(self.inner.write(good, visible=True))
        if self.dies_after:
            self.dies_after -= 1
            raise KeyboardInterrupt
        return [
            ItemReport(id=stored.receipt.id, outcome="refused", reason="it says so")
            if "refuse.me" in stored.fact.attributes
            else next(reports)
            for stored in facts
        ]


class Scene:
    """A sender with a ledger, a receiver, a worker that dies and comes again, and a store that goes away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sent: dict[str, Attributes] = {}
        self.acknowledged: set[str] = set()
        self.refused_by_store: set[str] = set()
        self.dice = random.Random(SEED)
        self.opened = TantivyStore(folder / "index", writable=True)
        self.store = FaultyStore(self.opened)

    def send(self, driven: Driven) -> None:
        """Requests of which some come twice; in one of them an item that the store will refuse."""
        for number in range(REQUESTS):
            names = [f"{number * 100 + n + 1:016x}" for n in range(SPANS)]
            own: list[dict[str, Any]] = [
                {"ledger.id": name, "ledger.word": "w" * 150 + f"{self.dice.getrandbits(64):x}"}
                for name in names
            ]
            if number == 5:
                own[3]["refuse.me"] = True
                self.refused_by_store.add(names[3])
            days = 12 if number == 2 else 0
            spans = [span(7, number * 100 + n + 1, at=time.time_ns() - days * DAY + n) for n in range(SPANS)]
            for one, has in zip(spans, own, strict=True):
                one.attributes.extend(KeyValue(key=key, value=any_value(value)) for key, value in has.items())
            body = request("planted", spans)
            self.sent.update(zip(names, own, strict=True))
            for _ in range(2 if number % 3 == 0 else 1):
                status, _, _ = driven.ask("POST", "/v1/traces", PROTOBUF, body)
                if status == 200:
                    self.acknowledged.update(names)

    def drain(self, inbox: Inbox) -> None:
        """A worker that finds the store away, dies once after a write, and comes again."""
        self.store.away, self.store.dies_after = 1, 1
        for _ in range(6):
            with contextlib.suppress(StoreUnavailable, KeyboardInterrupt):
                Drain(inbox, self.store, lambda workspace: Rules.default()).run()  # type: ignore[arg-type]
        self.opened.expire(time.time_ns() - 14 * DAY)

    def found(self) -> list[tuple[str, Attributes]]:
        """Every fact there is, by its span."""
        facts = self.opened.facts_of(Query(where=All()))
        return [(one.fact.ref.span_id, one.fact.attributes) for one in facts if one.fact.ref is not None]

    def complaints(self, inbox: Inbox) -> list[str]:
        """What is wrong, in words; nothing where nothing is."""
        verdict = judge(self.sent, self.acknowledged - self.refused_by_store, self.found())
        sums: dict[str, int] = {}
        for line in inbox.snapshot()[1]:
            sums[line.what] = sums.get(line.what, 0) + line.items
        sums["inbox"] = inbox.backlog().items
        kept = Quarantined.objects.count()
        wrong = [] if verdict.clean else [str(verdict)]
        wrong += [f"{unaccounted(sums)} items are unaccounted for: {sums}"] if unaccounted(sums) else []
        wrong += [f"{kept} quarantined, 1 should be"] if kept != len(self.refused_by_store) else []
        wrong += [f"{sums['inbox']} items are never drained"] if sums["inbox"] else []
        return wrong


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[[], list[str]]]:
    scene = Scene(tmp_path)
    scene.opened.prepare()

    def run() -> list[str]:
        scene.send(Driven(tmp_path))
        inbox = Inbox(tmp_path / "inbox.sqlite3")  # of another process: what was only in memory is gone
        scene.drain(inbox)
        return scene.complaints(inbox)

    with scene.opened:
        yield run


def acknowledges_before_the_commit(patch: Patch) -> None:
    held: list[Any] = []
    patch.setattr(Committer, "accept", lambda self, request, entries, **_: held.append((request, entries)))


def releases_when_it_claims(patch: Patch) -> None:
    real = Inbox.claim

    def claim(self: Inbox, **limits: int) -> Any:
        lease, batch = real(self, **limits)
        self.release(lease, {one.request.id: [] for one in batch})
        return lease, batch

    patch.setattr(Inbox, "claim", claim)


def gives_random_ids(patch: Patch) -> None:
    real = ingest_facts.identify
    patch.setattr(
        ingest_facts,
        "identify",
        lambda workspace, identity, at: real(workspace, (*identity, random.random()), at),
    )


def ignores_the_errors_of_items(patch: Patch) -> None:
    real = FaultyStore.write

    def write(self: FaultyStore, facts: Sequence[Stored], visible: bool = False) -> list[ItemReport]:
        reports = real(self, facts[:-1], visible)
        return [*reports, ItemReport(id=facts[-1].receipt.id, outcome="stored")]

    patch.setattr(FaultyStore, "write", write)


def takes_different_requests_for_one(patch: Patch) -> None:
    real = Inbox.accept
    known: set[int] = set()

    def accept(self: Inbox, requests: Sequence[Accepted], entries: Any = ()) -> None:
        new = [one for one in requests if len(one.body) // 64 not in known]
        known.update(len(one.body) // 64 for one in requests)
        real(self, new, entries)

    patch.setattr(Inbox, "accept", accept)


def keeps_nothing_in_quarantine(patch: Patch) -> None:
    patch.setattr(indexing.records, "keep", lambda **kept: None)


def forgets_to_count_what_came_again(patch: Patch) -> None:
    real = indexing._entries
    patch.setattr(indexing, "_entries", lambda share: [e for e in real(share) if e.what != "already"])


def cuts_long_values(patch: Patch) -> None:
    real = indexing.decode

    def decode(accepted: Accepted, rules: Rules, **_: Any) -> Decoded:
        found = real(accepted, rules)
        cut = [
            msgspec.structs.replace(
                one,
                fact=msgspec.structs.replace(
                    one.fact,
                    attributes={
                        key: v[:100] if isinstance(v, str) else v for key, v in one.fact.attributes.items()
                    },
                ),
                ids=b"",
                tokens="",
            )
            for one in found.facts
        ]
        return Decoded(facts=cut, poison=found.poison)

    patch.setattr(indexing, "decode", decode)


def expires_a_week_too_early(patch: Patch) -> None:
    real = TantivyStore.expire
    patch.setattr(TantivyStore, "expire", lambda self, before, **scope: real(self, before + 7 * DAY, **scope))


def loses_the_last_of_a_batch(patch: Patch) -> None:
    real = Inbox.claim

    def claim(self: Inbox, **limits: int) -> Any:
        lease, batch = real(self, **limits)
        if len(batch) > 1:
            self.release(lease, {batch[-1].request.id: []})
            batch = batch[:-1]
        return lease, batch

    patch.setattr(Inbox, "claim", claim)


def drops_what_it_should_give_back(patch: Patch) -> None:
    def give_back(self: Inbox, lease: str, **_: Any) -> None:
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM requests WHERE seq IN (SELECT seq FROM turns WHERE lease = ?)", (lease,)
            )

    patch.setattr(Inbox, "give_back", give_back)


def never_frees_a_lease(patch: Patch) -> None:
    patch.setattr(Inbox, "give_back", lambda self, lease, **_: None)
    patch.setattr(inbox_module, "_alive", lambda lease: True)


def lets_poison_take_its_neighbours(patch: Patch) -> None:
    real = indexing.decode

    def decode(accepted: Accepted, rules: Rules, **_: Any) -> Decoded:
        found = real(accepted, rules)
        if any("refuse.me" in one.fact.attributes for one in found.facts):
            poison = [BadItem(position=n, reason="x", message="x", data=b"") for n in range(accepted.items)]
            return Decoded(facts=[], poison=poison)
        return found

    patch.setattr(indexing, "decode", decode)


def says_200_to_what_it_could_not_read(patch: Patch) -> None:
    real = receiver_module.Receiver._commit

    def commit(self: Any, accepted: Accepted, found: Any) -> None:
        if accepted.body[-1] % 4:
            real(self, accepted, found)

    patch.setattr(receiver_module.Receiver, "_commit", commit)


BUGS = [
    acknowledges_before_the_commit,
    releases_when_it_claims,
    gives_random_ids,
    ignores_the_errors_of_items,
    takes_different_requests_for_one,
    keeps_nothing_in_quarantine,
    forgets_to_count_what_came_again,
    cuts_long_values,
    expires_a_week_too_early,
    loses_the_last_of_a_batch,
    drops_what_it_should_give_back,
    never_frees_a_lease,
    lets_poison_take_its_neighbours,
    says_200_to_what_it_could_not_read,
]


def test_without_a_bug_there_is_nothing_to_complain_of(play: Callable[[], list[str]]) -> None:
    assert [] == play()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_every_planted_bug_is_caught(
    play: Callable[[], list[str]], monkeypatch: Patch, bug: Callable[[Patch], None]
) -> None:
    bug(monkeypatch)
    complaints = play()
    print(complaints)
    assert complaints
