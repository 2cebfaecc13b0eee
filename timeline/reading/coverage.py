"""What an answer rests on: gathered from the inbox and the database before the store is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import msgspec
from django.db import Error

from timeline.answers import Coverage, Gap, Verdict
from timeline.errors import QueueUnavailable
from timeline.inbox.inbox import Backlog
from timeline.reading import rows as database
from timeline.reading.lines import lines_of
from timeline.reading.nodes import GONE, SILENT, reports
from timeline.search.query import Window
from timeline.search.times import MINUTE, retention_edge
from timeline.search.verdict import Evidence, Judgement, Missed, judge
from timeline.store.port import Count

COMMITTING = 500 * 10**6  # ns a request may be on its way to the disk: stamped, not yet in the inbox
_Ranges = tuple[tuple[int, int], ...]


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence of one moment, and how it reads."""

    evidence: Evidence
    coverage: Coverage


class CoverageReader:
    """Gathers evidence: this node's inbox as it is now, other nodes by their last report.

    ``backlog`` and ``settling`` read this node's inbox; ``lag`` is the store's visibility lag in ns;
    ``missing`` names what no answer of the store holds.
    """

    def __init__(
        self,
        *,
        node: str,
        backlog: Callable[[], Backlog],
        settling: Callable[[int], int | None],
        retention_days: int,
        lag: int,
        missing: Callable[[Window], Sequence[str]] = lambda _: (),
    ) -> None:
        self._node = node
        self._backlog = backlog
        self._settling = settling
        self._retention = retention_days
        self._lag = lag
        self._missing = missing

    def gather(
        self,
        window: Window,
        workspace: str,
        redacted: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
    ) -> Gathered:
        """Evidence for a range, to be read before the store is asked; ``redacted`` is what rules took away of
        what is asked for, and what they may have taken away unasked."""
        now = time.time_ns()
        backlog = self._backlog()
        rows = database.nodes()
        others = reports(rows, now, own=self._node)
        receivers = [node for node in rows if node.role == "receiver"]
        silent = [node for node in receivers if now - node.beat > SILENT]
        waiting = [oldest for oldest in (backlog.oldest, *(o.oldest for o in others)) if oldest is not None]
        settling = self._settling(self._lag)
        up_to = [
            now - self._lag - COMMITTING,
            *(node.beat for node in silent if node.name == self._node),
            *(other.beat - COMMITTING for other in others),
            *waiting,
            *([] if settling is None else [settling]),
        ]
        outages = sorted([*database.outages(), *((node.beat, now) for node in silent)])
        senders = database.senders(workspace)
        since = min((node.since for node in rows if node.role != "worker"), default=None)
        evidence = Evidence(
            window=window,
            now=now,
            up_to=min(up_to),
            pending_requests=backlog.requests + sum(other.requests for other in others),
            pending_items=backlog.items + sum(other.items for other in others),
            oldest_pending=min(waiting, default=None),
            visibility_lag=self._lag,
            silent=tuple((other.name, other.beat) for other in others if now - other.beat > GONE),
            receivers=len(receivers),
            recorded_since=since,
            recorded=_without(since, now, outages),
            complete=tuple(database.declared()),
            retention_edge=retention_edge(now, self._retention),
            refused=_missed(database.refused(window, workspace)),
            quarantined=_missed(database.set_aside(window, workspace)),
            partly_indexed=database.partly_indexed(window, workspace),
            sampled=_sampled(window, senders),
            failed=tuple(self._missing(window)),
            redacted=redacted[0],
            unlooked=redacted[1],
        )
        return Gathered(
            evidence=evidence, coverage=_coverage(evidence, outages, len(receivers), len(silent), senders)
        )

    def waiting(self) -> tuple[int, int] | None:
        """Requests and items that wait on any node; ``None`` where that cannot be read either."""
        try:
            backlog = self._backlog()
            others = reports(database.nodes(), time.time_ns(), own=self._node)
        except (QueueUnavailable, Error):
            return None
        return (
            backlog.requests + sum(other.requests for other in others),
            backlog.items + sum(other.items for other in others),
        )

    def read(self, window: Window, workspace: str) -> Coverage:
        """What answers over a range rest on now."""
        return self.gather(window, workspace).coverage

    def held(self, workspace: str) -> Window:
        """Everything an answer can be given for: from the retention edge, or from where recording or a
        declaration began, open to the end."""
        evidence = self.gather(Window(), workspace).evidence
        begun = [start for start, _ in evidence.complete]
        if evidence.recorded_since is not None:
            begun.append(evidence.recorded_since)
        edge = evidence.retention_edge or 0
        return Window(start=max(min(begun), edge) if begun else None, on="either")

    def judge(
        self,
        gathered: Gathered,
        total: Count,
        *,
        first: int | None = None,
        last: int | None = None,
        partial: Iterable[str] = (),
    ) -> Verdict:
        """The verdict on what the store answered."""
        return verdict_of(
            judge(
                msgspec.structs.replace(
                    gathered.evidence,
                    count=total.value,
                    at_least=total.at_least,
                    variants=total.variants,
                    first=first,
                    last=last,
                    failed=tuple(dict.fromkeys((*gathered.evidence.failed, *partial))),
                )
            )
        )


def verdict_of(judgement: Judgement) -> Verdict:
    """A judgement as pages and files show it."""
    return Verdict(
        kind=judgement.kind,
        sentence=judgement.sentence,
        count=judgement.count,
        variants=judgement.variants,
        at_least=judgement.at_least,
        first=judgement.first,
        last=judgement.last,
        up_to=judgement.up_to,
        causes=judgement.causes,
    )


def _coverage(
    evidence: Evidence,
    outages: Sequence[tuple[int, int]],
    receivers: int,
    silent: int,
    senders: Sequence[database.SenderRow],
) -> Coverage:
    judgement = judge(evidence)  # nothing counted yet: what would stand against "not seen"
    declared = {sender.service for sender in senders if sender.complete}
    undeclared = sorted({sender.service or "unnamed" for sender in senders} - declared)
    assumed = (
        (f"{_some(undeclared)} pass on all they receive; nobody has declared it.",) if undeclared else ()
    )
    return Coverage(
        window=evidence.window,
        up_to=evidence.up_to,
        now=evidence.now,
        recorded_since=evidence.recorded_since,
        retention_edge=evidence.retention_edge,
        pending_requests=evidence.pending_requests,
        pending_items=evidence.pending_items,
        lines=lines_of(
            evidence,
            receivers=receivers,
            silent=silent,
            declared=len(declared),
            senders=len(declared | set(undeclared)),
        ),
        causes=judgement.causes,
        gaps=tuple(_gaps(evidence, outages)),
        assumptions=(*judgement.assumptions, *assumed),
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4])
    return f"{shown} and {len(names) - 4:,} more" if len(names) > 4 else shown


def _gaps(evidence: Evidence, outages: Iterable[tuple[int, int]]) -> Iterable[Gap]:
    """Stretches to shade: nothing was recorded, nobody was up, not searchable yet."""
    if evidence.recorded_since is not None:
        for start, end in _minus((0, evidence.recorded_since), evidence.complete):
            yield Gap(start=start, end=end, kind="before recording")
    for outage in outages:
        for start, end in _minus(outage, evidence.complete):
            yield Gap(start=start, end=end, kind="outage")
    if evidence.pending_requests:
        yield Gap(start=evidence.up_to, end=evidence.now, kind="backlog")


def _minus(whole: tuple[int, int], parts: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    start, end = whole
    for low, high in sorted(parts):
        if low > start:
            yield start, min(low, end)
        start = max(start, high)
        if start >= end:
            return
    if start < end:
        yield start, end


def _without(since: int | None, now: int, outages: Iterable[tuple[int, int]]) -> _Ranges:
    """The ranges in which receivers were up."""
    return () if since is None else tuple(_minus((since, now), outages))


def _missed(groups: Iterable[database.Group]) -> tuple[Missed, ...]:
    return tuple(
        Missed(start=one.first, end=one.last, items=one.items, reason=one.reason.replace("_", " "))
        for one in groups
    )


def _sampled(window: Window, senders: Iterable[database.SenderRow]) -> tuple[str, ...]:
    """Who sent only a sample, by evidence of the range."""
    since = -1 if window.start is None else window.start - MINUTE
    return tuple(
        sorted({one.service for one in senders if one.sampled_at is not None and one.sampled_at >= since})
    )
