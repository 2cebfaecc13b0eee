"""What the drain leaves in the relational database beside the facts themselves.

Everything here is written before a request is released and may be written again after a
crash, so each row is unique by what it is about.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
from django.db import Error, connection, transaction
from django.db.models import F

from timeline.domain import Attributes
from timeline.errors import QueueUnavailable
from timeline.ingest.entities import Rules
from timeline.ingest.identity import placed
from timeline.ingest.request import Accepted, BadItem
from timeline.models import Arrival, EntityRule, PartlyIndexed, Quarantined, Refusal, Sender, Token
from timeline.storable import Run, Storable, maker_of

_MINUTE = 60 * 10**9


class Kept(msgspec.Struct, frozen=True):
    """Items for quarantine: ``request`` holds them alone, or ``item`` their bytes where it cannot."""

    request: Accepted
    item: BadItem
    items: int = 1
    replayable: bool = True


class New(NamedTuple):
    """Facts that a request brought; ``counted`` where this try stored them, else only their evidence counts."""

    run: Run
    request: Accepted
    counted: bool


class _Seen(msgspec.Struct):
    """What one batch tells of one sender."""

    facts: int = 0
    first: int = 0
    last: int = 0
    ahead: int | None = None
    sampled: int | None = None


def keep(
    *,
    kept: Sequence[Kept],
    again: Sequence[tuple[str, Accepted]],
    partly: Sequence[tuple[str, Storable]],
    new: Sequence[New],
) -> None:
    """Record quarantined items, repeated arrivals, partly indexed facts and senders.

    Raises ``QueueUnavailable`` where the database is away, so that the batch is kept and
    tried again.
    """
    try:
        with transaction.atomic():
            _quarantine(kept)
            _arrivals(again)
            _partly(partly)
            _senders(new)
    except Error as error:
        raise _away(error) from error


def refused(
    *,
    sender: str,
    signal: str,
    reason: str,
    message: str,
    items: int,
    first: int,
    last: int,
    workspace: str = "main",
    sample: bytes = b"",
) -> None:
    """Add refused items to the row of their minute and reason, which keeps the first message and sample; times
    in ns. Raises the database's own error."""
    row, made = Refusal.objects.get_or_create(
        minute=first - first % _MINUTE,
        workspace=workspace,
        sender=sender[:100],
        signal=signal,
        reason=reason,
        defaults={
            "message": message[:1000],
            "items": items,
            "first": first,
            "last": last,
            "sample": sample,
        },
    )
    if not made:
        Refusal.objects.filter(pk=row.pk).update(items=F("items") + items, last=last)


def workspaces() -> list[str]:
    """Every workspace that a key was made for or that a sender's facts were stored in, and ``main``."""
    known = {"main", *Token.objects.values_list("workspace", flat=True)}
    return sorted(known.union(Sender.objects.values_list("workspace", flat=True)))


def environments(workspace: str) -> tuple[str, ...]:
    """The environments that senders named, by name; at most 5 s old. Raises the database's own error."""
    return _environments(workspace, int(time.monotonic() / 5))


@lru_cache(maxsize=16)
def _environments(workspace: str, age: int) -> tuple[str, ...]:
    named = Sender.objects.filter(workspace=workspace).exclude(environment="")
    return tuple(sorted(set(named.values_list("environment", flat=True))))


def rules(workspace: str) -> Rules:
    """The entity rules of a workspace: the shipped ones and those of its people.

    At most 5 s old: asked for each request of a drain, changed a few times a year. Raises
    ``QueueUnavailable`` where the database is away.
    """
    try:
        return _compiled(_rows(workspace, int(time.monotonic() / 5)))
    except Error as error:
        raise _away(error) from error


def _away(error: Error) -> QueueUnavailable:
    return QueueUnavailable(f"the database did not answer: {error}", remedy="it is tried again by itself")


@lru_cache(maxsize=64)
def _rows(workspace: str, age: int) -> frozenset[tuple[str, str, str]]:
    found = EntityRule.objects.filter(workspace=workspace).values_list("by", "match", "type")
    return frozenset(found)


@lru_cache(maxsize=16)
def _compiled(rows: frozenset[tuple[str, str, str]]) -> Rules:
    """One object as long as the rules stay the same: it learns about the attributes it meets."""
    by: dict[str, dict[str, str]] = {kind: {} for kind in EntityRule.By.values}
    for kind, match, entity in sorted(rows):
        by[kind][match] = entity
    return Rules.default().extended(
        attributes=by[EntityRule.By.ATTRIBUTE],
        message_keys=by[EntityRule.By.MESSAGE_KEY],
        subjects=by[EntityRule.By.SUBJECT],
    )


def _quarantine(kept: Sequence[Kept]) -> None:
    Quarantined.objects.bulk_create(
        (
            Quarantined(
                request=one.request.id,
                position=one.item.position,
                items=one.items,
                at=one.request.received,
                workspace=one.request.workspace,
                sender=one.request.sender,
                signal=one.request.signal,
                reason=one.item.reason,
                message=one.item.message[:1000],
                data=one.request.body if one.replayable else one.item.data,
                headers=one.request.headers if one.replayable else {},
                encoding=one.request.content_encoding if one.replayable else "",
                environment=one.request.environment,
            )
            for one in kept
        ),
        ignore_conflicts=True,
    )


def _arrivals(again: Sequence[tuple[str, Accepted]]) -> None:
    Arrival.objects.bulk_create(
        (Arrival(fact=fact, request=request.id, at=request.received) for fact, request in again),
        ignore_conflicts=True,
        batch_size=500,
    )


def _partly(partly: Sequence[tuple[str, Storable]]) -> None:
    PartlyIndexed.objects.bulk_create(
        (
            PartlyIndexed(
                fact=fact,
                workspace=stored.receipt.workspace,
                at=placed(stored),
                received=stored.receipt.received,
            )
            for fact, stored in partly
        ),
        ignore_conflicts=True,
    )


def _senders(new: Sequence[New]) -> None:
    found: dict[tuple[str, str, str, str, str], _Seen] = {}
    known: dict[tuple[int, str, str, str, str], _Seen] = {}  # the same by resource: a request has few
    for run, request, counted in new:
        named = maker_of(run.first)
        maker = (id(named[0]), request.workspace, *named[1:])
        seen = known.get(maker) or known.setdefault(
            maker, found.setdefault(_sender(named, request), _Seen(first=request.received))
        )
        seen.facts += run.size if counted else 0
        seen.last = max(seen.last, request.received)
        if run.until is not None and run.until < 1 << 62:
            ahead = run.until - request.received
            seen.ahead = ahead if seen.ahead is None else max(ahead, seen.ahead)
        if run.sampled:
            seen.sampled = request.received
    # in one order on every node: two that lock the same rows the other way round would stop each other
    with connection.cursor() as cursor:
        for who, seen in sorted(found.items()):
            if not _updated(cursor, who, seen):
                defaults = {"facts": 0, "first": seen.first, "last": seen.last}
                Sender.objects.get_or_create(**dict(zip(_SENDER, who, strict=True)), defaults=defaults)
                _updated(cursor, who, seen)


_SENDER: Final = ("workspace", "service", "version", "environment", "sdk")
# The largest and the smallest as the database has them then: other nodes write too. Written out, since it is
# done for each sender of each batch, and to have it made of expressions takes ten times as long.
_UPDATE: Final = """
    UPDATE timeline_sender SET facts = facts + %s,
        first = CASE WHEN first <= %s THEN first ELSE %s END,
        last = CASE WHEN last >= %s THEN last ELSE %s END,
        ahead = CASE WHEN %s IS NULL OR ahead >= %s THEN ahead ELSE %s END,
        sampled_at = CASE WHEN %s IS NULL OR sampled_at >= %s THEN sampled_at ELSE %s END
    WHERE workspace = %s AND service = %s AND version = %s AND environment = %s AND sdk = %s
"""


def _updated(cursor: Any, who: tuple[str, ...], seen: _Seen) -> bool:
    """Whether there was such a sender."""
    named = {field.name: field for field in Sender._meta.fields}
    kept = [named[name].get_prep_value(value) for name, value in zip(_SENDER, who, strict=True)]
    numbers = (seen.first,) * 2 + (seen.last,) * 2 + (seen.ahead,) * 3 + (seen.sampled,) * 3
    cursor.execute(_UPDATE, (seen.facts, *numbers, *kept))
    return bool(cursor.rowcount)


def _sender(maker: tuple[Attributes, str, str, str], request: Accepted) -> tuple[str, str, str, str, str]:
    """Workspace, service, version, environment and SDK of who sent a fact."""
    resource, service, version, environment = maker
    sdk = f"{resource.get('telemetry.sdk.name', '')} {resource.get('telemetry.sdk.language', '')} {resource.get('telemetry.sdk.version', '')}"
    return (
        request.workspace,
        service[:200],
        version[:100],
        environment[:100],
        sdk.strip()[:200],
    )
