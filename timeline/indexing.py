"""The drain: from the inbox into the store, once each, without losing any.

Claim a batch by lease, decode and normalise, write in one go, keep what cannot be stored,
then release in the transaction that accounts for every item. Whatever fails before the
release is simply done again: identity makes that harmless. Where a part of the store is away,
requests that need it step aside and the others go on.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from timeline import records
from timeline.domain import Stored
from timeline.errors import Rejected, Unavailable
from timeline.inbox.dirty import Touched
from timeline.inbox.inbox import Claimed, Entry, Inbox
from timeline.ingest.decode import decode
from timeline.ingest.encode import kept_positions, parts, together
from timeline.ingest.entities import Rules
from timeline.ingest.facts import Make
from timeline.ingest.request import Accepted, BadItem, Decoded, digest_of, intact
from timeline.search.fact_tokens import fact_tokens
from timeline.storable import Run, Storable, runs
from timeline.store.packing import pack
from timeline.store.port import ItemReport, PartlyStored, Store
from timeline.store.turn import TURN
from timeline.telemetry.figures import DRAINED, step
from timeline.telemetry.spans import MARK, span

log = logging.getLogger(__name__)
MAX_ATTEMPTS = 5  # claims that never came back before a request is set aside
APART = 100  # items of one request that go to quarantine one by one; of more, those of one reason together
STEP_ASIDE = 10 * 10**9  # ns that a request waits for a part of the store that is away


class _Share(msgspec.Struct):
    """One request's part of a batch; ``aside`` is why all of it is set aside."""

    request: Accepted
    decoded: Decoded
    aside: BadItem | None = None
    stored: int = 0  # facts that this try stored
    unusual: list[tuple[Storable, ItemReport]] = []  # facts that were not just stored
    runs: list[tuple[Run, bool]] = []  # facts kept for this request; whether by this try

    def told(self, reports: list[ItemReport]) -> None:
        """Take up what the store said of each fact."""
        facts = self.decoded.facts
        told = zip(facts, reports, strict=True)
        self.unusual = [pair for pair in told if pair[1].outcome != "stored" or pair[1].partial]
        if self.unusual:
            pairs = zip(facts, reports, strict=True)
            facts = [stored for stored, report in pairs if report.outcome == "stored"]
        others = [
            stored for stored, report in self.unusual if report.outcome == "variant" or self.own(report)
        ]
        self.stored = len(facts)
        self.runs = [(run, True) for run in runs(facts)] + [(run, False) for run in runs(others)]

    def own(self, report: ItemReport) -> bool:
        """Whether a fact was stored by an earlier try of this very request, which ended before its records
        were written."""
        return report.outcome == "already" and report.request == self.request.id


class _Outcome(msgspec.Struct):
    """What became of a batch: requests released, and why others wait, if any do."""

    released: int
    waits: PartlyStored | None = None


class Drain:
    """Moves what waits in one inbox into one store."""

    def __init__(
        self, inbox: Inbox, store: Store, rules: Callable[[str], Rules], make: Make | None = None
    ) -> None:
        self._make = make
        self._inbox = inbox
        self._store = store
        self._rules = rules

    def run(self) -> int:
        """Drain until nothing is free; returns how many requests were released.

        Raises ``Unavailable`` where the store or the inbox is away: the lease is given
        back first, so the next run starts with the same requests. Requests that wait for a part
        of the store step aside, and the others go on.
        """
        released, told = 0, False
        while True:
            lease, batch = self._inbox.claim()
            if not batch:
                return released
            own = all(MARK in one.request.headers for one in batch)
            try:
                with step("batch"), span("drain", own=own, requests=len(batch)):
                    outcome = self._drain(lease, batch)
                released += outcome.released
                DRAINED.labels("released").inc(outcome.released)
                if outcome.waits is not None:
                    self._inbox.give_back(lease, wait=STEP_ASIDE)
                    told = told or self._tell(outcome.waits)
            except Unavailable:
                DRAINED.labels("waits").inc(len(batch))
                self._inbox.give_back(lease)
                raise
            except BaseException:
                self._inbox.give_back(lease, attempted=True)
                raise

    def _tell(self, error: PartlyStored) -> bool:
        log.warning("some requests step aside, the others go on: %s", error)
        return True

    def _drain(self, lease: str, batch: list[Claimed]) -> _Outcome:
        if len(batch) == 1 and self._bisected(lease, batch[0]):
            return _Outcome(0)
        with TURN, step("decode"):
            shares = [self._decode(claimed) for claimed in batch]
        facts = [stored for share in shares for stored in share.decoded.facts]
        if self._store.elsewhere and any(claimed.attempts for claimed in batch):
            rehearse(facts)
            self._inbox.survived(lease)
        reports, waits = self._write(facts)
        done = list(_done(shares, reports))
        with step("record"):
            self._record(done)
        entries = {share.request.id: _entries(share) for share in done}
        released = self._inbox.release(lease, entries, dirty=_touched(done)) if done else 0
        return _Outcome(released, waits)

    def _write(self, facts: Sequence[Storable]) -> tuple[Sequence[ItemReport | None], PartlyStored | None]:
        try:
            with step("write"):
                return (self._store.write(facts) if facts else []), None
        except PartlyStored as error:
            if not self._inbox.divisible:
                raise
            return error.reports, error

    def _bisected(self, lease: str, claimed: Claimed) -> bool:
        """Whether a request of several items that kept ending its worker was cut in two, to find the one at
        fault: each half has one try, and is cut again where it fails too. Where the cutting itself ends the
        worker, the next claim finds one attempt more, and sets the whole aside."""
        request = claimed.request
        if claimed.attempts != MAX_ATTEMPTS or request.items < 2 or not self._inbox.divisible:
            return False
        try:
            whole = kept_positions(request)
            groups = together(request, whole)
            if len(groups) < 2:
                return False  # all its items are equal
            halves = list(parts(request, _halves(groups)))
        except Rejected:
            return False
        if len(whole) != request.items:
            return False  # it does not hold what was accounted for: not to be touched
        names = (f"{request.id}.{n}" for n in (1, 2))
        pieces = [
            msgspec.structs.replace(half, id=name, digest=digest_of(half))
            for name, half in zip(names, halves, strict=True)
        ]
        log.warning("request %s kept ending its worker; it is tried in halves", request.id)
        return self._inbox.split(lease, request.id, pieces, attempts=MAX_ATTEMPTS - 1)

    def _decode(self, claimed: Claimed) -> _Share:
        request = claimed.request
        if claimed.attempts >= MAX_ATTEMPTS:
            return _set_aside(
                request, "kept_killing_workers", f"was claimed {claimed.attempts} times and never came back"
            )
        if not intact(request):
            return _set_aside(
                request, "damaged", "its bytes are not those that were accepted: check the disk"
            )
        try:
            decoded = decode(request, self._rules(request.workspace), make=self._make)
        except Unavailable:
            raise  # nothing is wrong with the request: its rules could not be read
        except Rejected as error:
            return _set_aside(request, "undecodable", str(error))
        except Exception as error:
            log.exception("request %s could not be decoded", request.id)
            return _set_aside(request, "decoder_failed", f"{type(error).__name__}: {error}")
        if len(decoded.facts) + len(decoded.poison) != request.items:
            found = len(decoded.facts) + len(decoded.poison)
            log.error("request %s was accepted with %s items, %s found", request.id, request.items, found)
        return _Share(request=request, decoded=decoded)

    def _record(self, shares: list[_Share]) -> None:
        """Write what people look up: before the release, and harmless when repeated."""
        kept: list[records.Kept] = []
        again: list[tuple[str, Accepted]] = []
        partly: list[tuple[str, Storable]] = []
        for share in shares:
            bad = list(share.decoded.poison)
            for stored, report in share.unusual:
                if report.outcome == "refused":
                    bad.append(_refused_by_store(report, stored))
                elif report.outcome == "already" and not share.own(report):
                    again.append((report.id, share.request))
                elif report.partial or stored.receipt.partial:
                    partly.append((report.id, stored))
            kept.extend(_kept(share, bad))
        new = [records.New(run, share.request, counted) for share in shares for run, counted in share.runs]
        records.keep(kept=kept, again=again, partly=partly, new=new)


def _done(shares: Iterable[_Share], reports: Sequence[ItemReport | None]) -> Iterator[_Share]:
    """The requests whose every fact has a report, with those."""
    start = 0
    for share in shares:
        end = start + len(share.decoded.facts)
        own = [report for report in reports[start:end] if report is not None]
        if len(own) == end - start:
            share.told(own)
            yield share
        start = end


def _halves(groups: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """Positions in two parts of about the same size, none of them empty, no group divided."""
    half, first = sum(map(len, groups)) // 2, list(groups[0])
    rest = list(groups[1:])
    while len(first) < half and len(rest) > 1:
        first += rest.pop(0)
    return first, [position for group in rest for position in group]


def rehearse(facts: Iterable[Storable]) -> None:
    """Make every fact ready to be stored, for nothing: what kills its worker then kills it here,
    and not while it waits for the store."""
    for stored in facts:
        if not isinstance(stored, Stored):
            continue  # what is made ready has come through
        try:
            fact_tokens(stored)
            pack(stored)
        except (ValueError, OverflowError, TypeError, RecursionError):
            continue  # the store refuses it with the reason


def _touched(shares: Iterable[_Share]) -> Iterator[Touched]:
    """The entities of facts that these requests stored, in this try or an earlier one."""
    for share in shares:
        for run, _ in share.runs:
            for name in run.names:
                yield share.request.workspace, name


def _set_aside(request: Accepted, reason: str, message: str) -> _Share:
    """The whole request, with every item of it."""
    whole = BadItem(position=0, reason=reason, message=message, data=request.body)
    return _Share(request=request, decoded=Decoded(facts=[], poison=[]), aside=whole)


def _kept(share: _Share, bad: Sequence[BadItem]) -> Iterator[records.Kept]:
    """What goes to quarantine, each as a request that could be accepted again."""
    request = share.request
    if share.aside is not None:
        yield records.Kept(request, share.aside, request.items)
    if not bad:
        return
    groups: list[list[BadItem]]
    if len(bad) > APART:
        by_reason: dict[str, list[BadItem]] = {}
        for item in bad:
            by_reason.setdefault(item.reason, []).append(item)
        groups = list(by_reason.values())
    else:
        at = {item.position: item for item in bad}
        groups = [[at[position] for position in same] for same in together(request, list(at))]
    alone = parts(request, [[item.position for item in group] for group in groups])
    for group, one in zip(groups, alone, strict=True):
        yield records.Kept(one, group[0], len(group))


def _refused_by_store(report: ItemReport, stored: Storable) -> BadItem:
    return BadItem(position=stored.receipt.position, reason="store_refused", message=report.reason, data=b"")


def _entries(share: _Share) -> list[Entry]:
    """The accounting of one request: every item exactly once."""
    what: Counter[tuple[str, str]] = Counter()
    if share.aside is not None:
        what["quarantined", share.aside.reason] += share.request.items
    for item in share.decoded.poison:
        what["quarantined", item.reason] += 1
    if share.stored:
        what["new", ""] += share.stored
    for _, report in share.unusual:
        if report.outcome == "refused":
            what["quarantined", "store_refused"] += 1
        elif report.outcome == "variant":
            what["variant", ""] += 1
        elif report.outcome == "already":
            what["new" if share.own(report) else "already", ""] += 1
    return list(_lines(share.request, what))


def _lines(request: Accepted, what: Counter[tuple[str, str]]) -> Iterable[Entry]:
    for (kind, reason), items in what.items():
        yield Entry(sender=request.sender, what=kind, items=items, reason=reason)
