"""What the drain leaves in the relational database beside the facts themselves.

Everything here is written before a request is released and may be written again after a
crash, so each row is unique by what it is about.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache

import msgspec
from django.db import Error, transaction
from django.db.models import F, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Greatest, Least

from timeline.errors import QueueUnavailable
from timeline.ingest.entities import Rules
from timeline.ingest.identity import placed
from timeline.ingest.request import Accepted, BadItem
from timeline.models import Arrival, EntityRule, PartlyIndexed, Quarantined, Refusal, Sender, Token
from timeline.storable import Storable, ended, maker_of

_MINUTE = 60 * 10**9


class Kept(msgspec.Struct, frozen=True):
    """Items for quarantine: ``request`` holds them alone, or ``item`` their bytes where it cannot."""

    request: Accepted
    item: BadItem
    items: int = 1
    replayable: bool = True


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
    new: Sequence[tuple[Storable, Accepted, bool]],
) -> None:
    """Record quarantined items, repeated arrivals, partly indexed facts and senders.

    ``new`` says of each fact whether this try stored it: evidence is kept for every one, and only those
    are counted.

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


def _senders(new: Sequence[tuple[Storable, Accepted, bool]]) -> None:
    found: dict[tuple[str, str, str, str, str], _Seen] = {}
    known: dict[tuple[int, str, str, str, str], _Seen] = {}  # the same by resource: a request has few
    last: tuple[object, Accepted] | None = None
    seen = _Seen()
    for stored, request, counted in new:
        named = maker_of(stored)
        if last is None or named is not last[0] or request is not last[1]:
            last = named, request
            maker = (id(named[0]), request.workspace, *named[1:])
            seen = known.get(maker) or known.setdefault(
                maker, found.setdefault(_sender(stored, request), _Seen(first=request.received))
            )
        seen.facts += counted
        if request.received > seen.last:
            seen.last = request.received
        end = ended(stored)
        if end is not None and end < 1 << 62:
            ahead = end - request.received
            if seen.ahead is None or ahead > seen.ahead:
                seen.ahead = ahead
        if stored.receipt.sampled:
            seen.sampled = request.received
    # in one order on every node: two that lock the same rows the other way round would stop each other
    for (workspace, service, version, environment, sdk), seen in sorted(found.items()):
        sender, made = Sender.objects.get_or_create(
            workspace=workspace,
            service=service,
            version=version,
            environment=environment,
            sdk=sdk,
            defaults={
                "facts": seen.facts,
                "first": seen.first,
                "last": seen.last,
                "ahead": seen.ahead,
                "sampled_at": seen.sampled,
            },
        )
        if not made:
            Sender.objects.filter(pk=sender.pk).update(
                facts=F("facts") + seen.facts,
                first=Least("first", Value(seen.first)),
                last=Greatest("last", Value(seen.last)),
                ahead=_later("ahead", seen.ahead),
                sampled_at=_later("sampled_at", seen.sampled),
            )


def _sender(stored: Storable, request: Accepted) -> tuple[str, str, str, str, str]:
    """Workspace, service, version, environment and SDK of who sent a fact."""
    resource, service, version, environment = maker_of(stored)
    sdk = f"{resource.get('telemetry.sdk.name', '')} {resource.get('telemetry.sdk.language', '')} {resource.get('telemetry.sdk.version', '')}"
    return (
        request.workspace,
        service[:200],
        version[:100],
        environment[:100],
        sdk.strip()[:200],
    )


def _later(column: str, value: int | None) -> Combinable:
    """The larger of both as the database has it then: other nodes write too."""
    if value is None:
        return F(column)
    return Greatest(Coalesce(column, Value(value)), Value(value))
