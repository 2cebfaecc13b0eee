"""One ``Known`` per identity: what the rest of this package works on.

A sender may repeat a fact, or say two things under one identity. Repeats are the same fact; of
several contents the one with the smallest hash leads, whatever arrived first (design.md 3.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import msgspec

from timeline.domain import Event, Fact, Span, Stored

Role = Literal["create", "send", "receive", "process", "settle", "record", "event", ""]
Ref: TypeAlias = tuple[str, str]  # trace id, span id
SequenceKey: TypeAlias = tuple[int, int, str]
OrderKey: TypeAlias = tuple[bool, int, SequenceKey, int, int, str]

PRODUCING: frozenset[Role] = frozenset(("create", "send", "record", "event"))
CONSUMING: frozenset[Role] = frozenset(("receive", "process"))
_OPERATIONS = frozenset(("create", "send", "receive", "process", "settle"))
_NO_SEQUENCE: SequenceKey = (0, 0, "")


class Known(msgspec.Struct, gc=False):
    """A distinct fact: its leading content, and its place in the raw order of time.

    ``index`` is its rank by (time, sequence, observed, tie, id). ``id`` names it on pages; it
    does not depend on which of several contents arrived first. ``received`` is the first arrival.
    """

    id: str
    stored: Stored
    fact: Fact
    at: int | None
    until: int | None
    service: str
    role: Role
    shown: bool
    variants: int
    received: int
    key: OrderKey
    index: int = 0

    @property
    def ref(self) -> Ref | None:
        """Trace and span id, where it has them."""
        ref = self.fact.ref
        return None if ref is None else (ref.trace_id, ref.span_id)


def sequence_key(text: str | None) -> SequenceKey:
    """Numbers by value, anything else as text, none first."""
    if not text:
        return _NO_SEQUENCE
    if len(text) <= 40 and text.isascii() and text.isdigit():
        return (1, int(text), "")
    return (2, 0, text)


def role_of(fact: Fact) -> Role:
    """The part a fact plays for a message; empty where it plays none."""
    if isinstance(fact, Event):
        if fact.kind == "record":
            return "record"
        return "event" if fact.kind == "cloudevent" else ""
    operation = fact.message.operation if fact.message else None
    if operation in _OPERATIONS:
        return operation  # type: ignore[return-value]
    if fact.kind == "producer":
        return "send"
    # a poll that got nothing to say (OpenTelemetry's confluent-kafka package): no message, so no part
    silent = fact.message is None and fact.parent is None and not fact.links
    return "process" if fact.kind == "consumer" and not silent else ""


def order_key(stored: Stored) -> OrderKey:
    """Total order of facts (design.md 3.2); facts without a time come last."""
    fact, receipt = stored.fact, stored.receipt
    sequence = sequence_key(fact.event.sequence) if fact.event else _NO_SEQUENCE
    observed = (fact.observed or 0) if isinstance(fact, Event) else 0
    return (fact.at is None, fact.at or 0, sequence, observed, receipt.tie, receipt.id)


def _preference(stored: Stored) -> tuple[Any, ...]:
    receipt = stored.receipt
    return (
        receipt.content,
        receipt.variant,
        receipt.id,
        receipt.received,
        receipt.tie,
        receipt.request,
        receipt.position,
    )


def _page_id(leader: Stored, members: list[Stored]) -> str:
    """The plain id of the leader's millisecond, though another content may hold it."""
    if not leader.receipt.variant:
        return leader.receipt.id
    head = leader.receipt.id[:8]  # base64 of the 6-byte time
    plain = [member.receipt.id for member in members if not member.receipt.variant]
    return min((one for one in plain if one[:8] == head), default=leader.receipt.id)


def _known(members: list[Stored], shown: bool) -> Known:
    leader, variants, received = members[0], 0, members[0].receipt.received
    name = leader.receipt.id
    if len(members) > 1:
        leader = min(members, key=_preference)
        variants = len({member.receipt.content for member in members}) - 1
        received = min(member.receipt.received for member in members)
        name = _page_id(leader, members)
    fact = leader.fact
    return Known(
        id=name,
        stored=leader,
        fact=fact,
        at=fact.at,
        until=fact.until,
        service=fact.service,
        role=role_of(fact),
        shown=shown,
        variants=variants,
        received=received,
        key=order_key(leader),
    )


def gather(facts: Iterable[Stored], closure: Iterable[Stored] = ()) -> list[Known]:
    """Distinct facts in raw order; those of ``facts`` are marked as shown."""
    groups: dict[str, list[Stored]] = {}
    shown: set[str] = set()
    for stored in facts:
        identity = stored.receipt.identity or stored.receipt.id
        groups.setdefault(identity, []).append(stored)
        shown.add(identity)
    for stored in closure:
        groups.setdefault(stored.receipt.identity or stored.receipt.id, []).append(stored)
    found = [_known(members, identity in shown) for identity, members in groups.items()]
    found.sort(key=lambda known: known.key)
    _adopt(found)
    for index, known in enumerate(found):
        known.index = index
    return found


def _adopt(found: list[Known]) -> None:
    """An event that names no service was made by that of the span around it, else by its source."""
    nameless = [one for one in found if not one.service and isinstance(one.fact, Event)]
    if not nameless:
        return
    services = {one.ref: one.service for one in found if isinstance(one.fact, Span)}
    for one in nameless:
        source = one.fact.event.source if one.fact.event else None
        one.service = services.get(one.ref, "") or source or ""


def leaders(facts: Iterable[Stored]) -> dict[str, Stored]:
    """The leading content of each distinct fact by the id that ``Entry.fact`` names."""
    groups: dict[str, list[Stored]] = {}
    for stored in facts:
        groups.setdefault(stored.receipt.identity or stored.receipt.id, []).append(stored)
    found: dict[str, Stored] = {}
    for members in groups.values():
        leader, name = members[0], members[0].receipt.id
        if len(members) > 1:
            leader = min(members, key=_preference)
            name = _page_id(leader, members)
        found[name] = leader
    return found


def references(known: list[Known]) -> dict[Ref, list[Known]]:
    """Spans by address; halves of one RPC may share it."""
    found: dict[Ref, list[Known]] = {}
    for one in known:
        if isinstance(one.fact, Span):
            found.setdefault((one.fact.ref.trace_id, one.fact.ref.span_id), []).append(one)
    return found
