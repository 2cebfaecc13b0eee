"""What a consuming span says about the messages it took: one ``Mention`` each.

A batch names its messages on its links, each with its own attributes (semantic conventions 1.44,
messaging spans); a single delivery names it by parent, by link or by its own attributes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from timeline.domain import EventInfo, Link, Message, Span
from timeline.rebuild.facts import CONSUMING, PRODUCING, Known, Ref

JoinedBy = Literal["parent", "link", "batch link", "message id", "event id", "offset", ""]

_KEYS: dict[str, tuple[str, ...]] = {
    "id": ("messaging.message.id", "messaging.message_id"),
    "destination": ("messaging.destination.name", "messaging.destination"),
    "partition": (
        "messaging.destination.partition.id",
        "messaging.kafka.destination.partition",
        "messaging.kafka.partition",
    ),
    "offset": ("messaging.kafka.offset", "messaging.kafka.message.offset"),
    "key": ("messaging.kafka.message.key", "messaging.message.key"),
    "event_id": ("cloudevents.event_id",),
    "event_source": ("cloudevents.event_source",),
}


class Mention(msgspec.Struct, gc=False):
    """One message as a consuming span names it; ``ref`` is the context it came with."""

    by: JoinedBy
    ref: Ref | None = None
    destination: str | None = None
    id: str | None = None
    key: str | None = None
    partition: str | None = None
    offset: int | None = None
    group: str | None = None
    event_source: str | None = None
    event_id: str | None = None
    attempt: int | None = None
    batched: bool = False

    @property
    def identified(self) -> bool:
        """It names the message itself, not only where it came from."""
        return self.id is not None or self.offset is not None or self.event_id is not None


def _attribute(link: Link, field: str) -> str | None:
    for key in _KEYS[field]:
        value = link.attributes.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)
    return None


def _offset(text: str | None) -> int | None:
    digits = text is not None and len(text) <= 20 and text.isascii() and text.isdigit()
    return int(text) if digits and text is not None else None


def _own(fact: Span, by: JoinedBy, ref: Ref | None) -> Mention:
    message, event = fact.message or Message(), fact.event or EventInfo()
    return Mention(
        by=by,
        ref=ref,
        destination=message.destination,
        id=message.id,
        key=message.key,
        partition=message.partition,
        offset=message.offset,
        group=message.group,
        event_source=event.source,
        event_id=event.id,
        attempt=message.attempt,
    )


def _linked(fact: Span, link: Link, *, batched: bool) -> Mention:
    """The link's own words first; for a single message the span's fill the rest."""
    ref = (link.ref.trace_id, link.ref.span_id)
    mention = _own(fact, "batch link" if batched else "link", ref)
    mention.batched = batched
    if batched:  # what the span says of its own holds for no single message
        mention.id = mention.event_id = mention.event_source = mention.offset = mention.key = None
    mention.id = _attribute(link, "id") or mention.id
    mention.destination = _attribute(link, "destination") or mention.destination
    mention.partition = _attribute(link, "partition") or mention.partition
    mention.key = _attribute(link, "key") or mention.key
    mention.event_id = _attribute(link, "event_id") or mention.event_id
    mention.event_source = _attribute(link, "event_source") or mention.event_source
    offset = _offset(_attribute(link, "offset"))
    mention.offset = mention.offset if offset is None else offset
    return mention


def _names_message(link: Link) -> bool:
    return any(_attribute(link, field) for field in ("id", "offset", "event_id"))


def _message_links(known: Known, fact: Span, by_ref: dict[Ref, list[Known]]) -> list[Link]:
    """Links that stand for a message, not for the local receive span or an ambient one."""
    found: list[tuple[Link, bool]] = []
    for link in fact.links:
        targets = by_ref.get((link.ref.trace_id, link.ref.span_id), ())
        if any(
            target is known or (target.role in CONSUMING and target.service == known.service)
            for target in targets
        ):
            continue
        sure = _names_message(link) or any(target.role in PRODUCING for target in targets)
        found.append((link, sure))
    sure_ones = [link for link, sure in found if sure]
    batch = fact.message.batch_count if fact.message else None
    if sure_ones and (batch is None or len(sure_ones) >= batch):
        return sure_ones
    return [link for link, _ in found]


def mentions(known: Known, parent: Known | None, by_ref: dict[Ref, list[Known]]) -> list[Mention]:
    """Every message the span took, each once; at least one."""
    fact = known.fact
    if not isinstance(fact, Span):
        return []
    links = _message_links(known, fact, by_ref)
    message = fact.message
    single = message is not None and (message.id is not None or message.offset is not None)
    if single and len(links) > 1 and not any(map(_names_message, links)):
        links = links[:1]
    if len(links) > 1:
        found: dict[tuple[object, ...], Mention] = {}
        for link in links:
            one = _linked(fact, link, batched=True)
            place = (
                one.ref,
                one.id,
                one.event_source,
                one.event_id,
                one.destination,
                one.partition,
                one.offset,
            )
            found.setdefault(place, one)
        return list(found.values())
    above: Ref | None = None
    if fact.parent:
        above = (fact.ref.trace_id, fact.parent)
        if (
            parent is not None
            and parent.role not in PRODUCING
            and (parent.service == known.service or parent.role in CONSUMING)
        ):
            above = None
    if above is not None and parent is not None and parent.role in PRODUCING:
        mention = _linked(fact, links[0], batched=False) if links else _own(fact, "parent", above)
        mention.ref, mention.by = above, "parent"
        return [mention]
    if links:
        return [_linked(fact, links[0], batched=False)]
    return [_own(fact, "parent" if above else "", above)]
