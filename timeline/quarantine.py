"""What could not be stored: accepted again after a fix, or given up with a reason.

Both keep the accounting even: what is replayed waits in the inbox again instead, what is discarded stays
counted under a reason of its own.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Final

import msgspec
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from timeline.errors import Rejected, ThroughlineError
from timeline.inbox.inbox import Entry, Inbox
from timeline.ingest.request import Accepted, digest_of
from timeline.models import Audit, Quarantined
from timeline.redaction.requests import redacted_again
from timeline.redactions import Redactions

DISCARDED: Final = "discarded"
AT_ONCE: Final = 1_000  # rows of one replay or discard


def kept(workspace: str = "main") -> QuerySet[Quarantined]:
    """What nobody has decided on yet."""
    return Quarantined.objects.filter(workspace=workspace, state=Quarantined.State.KEPT)


def replayable(row: Quarantined) -> bool:
    """Whether the row holds a request, and not only the bytes of one."""
    return bool(row.headers) and bool(row.data)


def replay(row: Quarantined, inbox: Inbox, redactions: Redactions, *, who: str) -> None:
    """Accept the items again, durable when this returns. Raises ``Rejected`` where the row holds no request
    or was decided on, ``QueueUnavailable`` where the inbox takes none.

    The inbox comes first; ended between the two, a second try on the same node finds it there.
    """
    with transaction.atomic():
        held = _held(row)
        if not replayable(held):
            raise Rejected(
                "only its bytes were kept, not a request", remedy="correct the sender and send it again"
            )
        if _first_time(held, inbox, "replay", other="discard"):
            moved = Entry(sender=held.sender, what="quarantined", items=-held.items, reason=held.reason)
            inbox.accept([_again(held, redactions)], [moved], mark=_mark("replay", held))
        _decided(held, Quarantined.State.REPLAYED, who, "")
        Audit.objects.create(who=who, what="quarantine replay", detail=_named(held), rows=held.items)
    redactions.write()  # what its rules took out


def discard(row: Quarantined, inbox: Inbox, *, why: str, who: str) -> None:
    """Give the items up: their bytes go, their count and the reason stay. Raises ``Rejected`` without a
    reason, or where the row was decided on. The inbox comes first, as in ``replay``."""
    why = " ".join(why.split())[:300]
    if not why:
        raise Rejected("a reason is wanted", remedy="say in a few words why nobody needs it")
    with transaction.atomic():
        held = _held(row)
        if _first_time(held, inbox, "discard", other="replay"):
            moved = [
                Entry(sender=held.sender, what="quarantined", items=-held.items, reason=held.reason),
                Entry(sender=held.sender, what="quarantined", items=held.items, reason=DISCARDED),
            ]
            inbox.accept([], moved, mark=_mark("discard", held))
        held.data = b""
        _decided(held, Quarantined.State.DISCARDED, who, why)
        Audit.objects.create(
            who=who, what="quarantine discard", detail=f"{_named(held)}: {why}"[:1000], rows=held.items
        )


def all_of(reason: str, workspace: str = "main") -> Iterator[Quarantined]:
    """What is kept for one reason, at most a thousand, without the bytes: the oldest first, and last what
    cannot be replayed, so that it holds up nothing behind it."""
    rows = kept(workspace).filter(reason=reason).defer("data")
    bytes_alone = ExpressionWrapper(Q(headers={}), output_field=BooleanField())
    yield from rows.order_by(bytes_alone, "at", "position")[:AT_ONCE]


def _first_time(row: Quarantined, inbox: Inbox, what: str, *, other: str) -> bool:
    """Whether the inbox has not done this yet; raises ``Rejected`` where it has done the other already."""
    if inbox.knows(_mark(other, row)):
        raise Rejected(f"a {other} of it was begun and not ended", remedy=f"{other} it once more")
    return not inbox.knows(_mark(what, row))


def _mark(what: str, row: Quarantined) -> bytes:
    """What the inbox remembers of a decision, for a second try."""
    return hashlib.sha256(f"{what} {row.pk} {row.request} {row.position}".encode()).digest()


def _held(row: Quarantined) -> Quarantined:
    """The row, for this transaction alone; raises ``Rejected`` where it was decided on."""
    held = kept(row.workspace).select_for_update().filter(pk=row.pk).first()
    if held is None:
        raise Rejected("somebody has decided on this already")
    return held


def _again(row: Quarantined, redactions: Redactions) -> Accepted:
    request = Accepted(
        id=f"replay-{row.pk}",
        signal=row.signal,  # type: ignore[arg-type]
        content_encoding=row.encoding,
        headers=dict(row.headers),
        body=bytes(row.data),
        received=row.at,
        workspace=row.workspace,
        sender=row.sender,
        items=row.items,
        environment=row.environment,
    )
    rules = redactions.of(row.workspace)
    try:
        changed = redacted_again(request, rules) if rules else request
    except ThroughlineError as error:
        raise Rejected(
            f"redaction rules are in force, and it cannot be read: {error.message}", remedy="discard it"
        ) from error
    return msgspec.structs.replace(changed, digest=digest_of(changed))


def _decided(row: Quarantined, state: Quarantined.State, who: str, because: str) -> None:
    row.state, row.who, row.because, row.changed = state, who[:150], because, time.time_ns()
    row.save(update_fields=["state", "who", "because", "changed", "data"])


def _named(row: Quarantined) -> str:
    return f"{row.request}/{row.position} {row.reason}"
