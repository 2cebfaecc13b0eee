"""Facts to ``Timeline``: the one entrance of this package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from timeline.domain import Entry, Skew, Span, SpanRef, Stored, Timeline
from timeline.rebuild import badges as marks
from timeline.rebuild.causes import Causes, causes
from timeline.rebuild.clock import contradicts, shifts, skews
from timeline.rebuild.facts import Known, gather, references
from timeline.rebuild.family import Family, family, read_handlings
from timeline.rebuild.findings import judge
from timeline.rebuild.findings.story import Story
from timeline.rebuild.hops import Delivery, deliveries
from timeline.rebuild.order import Ordered, ordered

_NO_GROUPS: Mapping[str, frozenset[str]] = {}


def timeline(
    subject: str,
    facts: Iterable[Stored],
    *,
    closure: Iterable[Stored] = (),
    window: tuple[int | None, int | None] = (None, None),
    groups: Mapping[str, frozenset[str]] = _NO_GROUPS,
    covered: bool = True,
    now: int | None = None,
    truncated: int = 0,
) -> Timeline:
    """The ordered story of ``subject``: an entity (``type:id``), ``trace:<id>`` or ``fact:<id>``.

    ``facts`` become entries; ``closure`` (their traces, links both ways, message and event identities)
    is used only to join hops and to know parents. ``groups`` names the consumer groups seen on each
    destination within 7 days: a message that one of them has not taken is *unconsumed*, or *unknown*
    where ``covered`` is false. ``now`` (ns) is used for ages in findings. ``truncated`` says how many
    facts a limit left out.
    Equal for every order and repetition of the facts (design.md 3.1, 7).
    """
    known = gather(facts, closure)
    by_ref = references(known)
    kin = family(known, by_ref)
    read_handlings(known, kin)
    taken = deliveries(known, kin, by_ref, groups, covered)
    reasons = causes(known, kin, by_ref, taken)
    order = ordered(known, reasons.edges)
    place = [0] * len(known)
    for position, index in enumerate(order.sequence):
        place[index] = position
    seen = [known[index] for index in order.sequence]
    services = _first_seen([one for one in seen if one.shown])
    clocks = skews(known, reasons.edges, {name: rank for rank, name in enumerate(_first_seen(seen))})
    visible = sorted(_visible(taken, known, subject), key=lambda one: _hop_order(one, place))
    cut = set(order.cut)
    kin.parent = [
        None if parent is not None and (parent, child) in cut else parent
        for child, parent in enumerate(kin.parent)
    ]  # fmt: skip
    entries, after = marks.sent_afterwards(_entries(subject, known, order, kin, visible, reasons, clocks))
    missing = {one for index, one in _missing(kin, known)}
    story = Story(
        known=known, family=kin, deliveries=visible, cut=order.cut, loops=reasons.loops, now=now, place=place
    )  # fmt: skip
    return Timeline(
        subject=subject,
        window=window,
        entries=entries,
        hops=tuple(one.hop for one in visible),
        findings=(*judge(story), *after),
        skew=clocks,
        missing=tuple(SpanRef(trace_id=trace, span_id=span) for trace, span in sorted(missing)),
        linked=_linked(subject, known),
        services=services,
        complete=not missing and not truncated,
        truncated=truncated,
    )


def _first_seen(known: list[Known]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.service for one in known if one.service))


def _missing(kin: Family, known: list[Known]) -> list[tuple[int, tuple[str, str]]]:
    """Parents that shown facts name and nobody sent."""
    return [
        (index, (ref.trace_id, ref.span_id)) for index, ref in kin.missing.items() if known[index].shown
    ]  # fmt: skip


def _visible(taken: list[Delivery], known: list[Known], subject: str) -> list[Delivery]:
    """Hops that touch a shown fact. Of a batch only the messages of the subject."""
    kind, _, name = subject.partition(":")
    whole = kind in ("trace", "fact") or not name
    found: list[Delivery] = []
    for one in taken:
        sides = [one.receiver, one.consumer, one.settled]
        consumed = any(index is not None and known[index].shown for index in sides)
        produced = [index for index in (one.producer, *one.publication.facts) if index is not None]
        ours = whole or not one.batched or one.publication.key == name
        if any(known[index].shown for index in produced) or (consumed and ours):
            found.append(one)
    return found


def _hop_order(one: Delivery, place: list[int]) -> tuple[int, int, int, str, str]:
    first = next(
        (place[index] for index in (one.producer, one.receiver, one.consumer) if index is not None), 0
    )
    last = next((place[index] for index in (one.consumer, one.receiver) if index is not None), len(place))
    return (first, last, one.hop.attempt, one.hop.group or "", f"{one.hop.event}\0{one.hop.offset}")


def _linked(subject: str, known: list[Known]) -> tuple[str, ...]:
    """Traces that shown spans link to, and traces whose spans link to a shown one."""
    own = {one.fact.ref.trace_id for one in known if one.shown and one.fact.ref is not None}
    own.add(subject)
    found: set[str] = set()
    for one in known:
        if not isinstance(one.fact, Span) or not one.fact.links:
            continue
        targets = {link.ref.trace_id for link in one.fact.links}
        if one.shown:
            found |= targets
        elif targets & own:
            found.add(one.fact.ref.trace_id)
    return tuple(sorted(found - own))


def _shown_parents(
    known: list[Known], order: Ordered, kin: Family, visible: list[Delivery]
) -> list[int | None]:
    """The nearest shown ancestor of each fact; a consumer joined to one message hangs below its sender."""
    senders: dict[int, set[int]] = {}
    cut = set(order.cut)
    for one in visible:
        for side in (one.consumer, one.receiver):
            if side is None or one.producer is None or one.producer == side:
                continue  # a span that says it took what it sent stands below nothing
            if (one.producer, side) not in cut:
                senders.setdefault(side, set()).add(one.producer)
    found: list[int | None] = [None] * len(known)
    for index in order.sequence:
        above = kin.parent[index]
        if above is None and len(senders.get(index, ())) == 1:
            above = next(iter(senders[index]))
        if above is not None:
            found[index] = above if known[above].shown else found[above]
    return found


def _attempts(visible: list[Delivery]) -> dict[int, str]:
    """``attempt n of m`` for spans that handle one message, or all of theirs for the n-th time."""
    said: dict[int, set[tuple[int, int]]] = {}
    for one in visible:
        side = one.consumer if one.consumer is not None else one.receiver
        if side is not None:
            said.setdefault(side, set()).add((one.hop.attempt, one.hop.attempts))
    found: dict[int, str] = {}
    for index, rows in said.items():
        if len(rows) == 1:
            number, total = next(iter(rows))
            if total > 1:
                found[index] = f"attempt {number} of {total}"
    return found


def _contradictions(known: list[Known], reasons: Causes) -> dict[int, str]:
    """Facts whose raw time lies before that of a cause: the clock of another service, or their own order."""
    found: dict[int, str] = {}
    for cause, effect in reasons.edges:
        one, other = known[cause], known[effect]
        if contradicts(one, other):
            abroad = one.service and other.service and one.service != other.service
            badge = "clock" if abroad else "out of order"
            if found.get(effect) != "out of order":
                found[effect] = badge
    return found


def _entries(
    subject: str,
    known: list[Known],
    order: Ordered,
    kin: Family,
    visible: list[Delivery],
    reasons: Causes,
    clocks: tuple[Skew, ...],
) -> tuple[Entry, ...]:
    parents = _shown_parents(known, order, kin, visible)
    attempts, wrong, shift = _attempts(visible), _contradictions(known, reasons), shifts(clocks)
    depth = [0] * len(known)
    found: list[Entry] = []
    for index in order.sequence:
        one, parent = known[index], parents[index]
        if parent is not None:
            depth[index] = depth[parent] + 1
        if not one.shown:
            continue
        above = kin.parent[index]
        status = marks.status_of(one)
        badges = marks.badges_of(
            one,
            subject,
            known[above] if above is not None else None,
            orphan=index in kin.missing,
            wrong=wrong.get(index, ""),
            attempt=attempts.get(index, ""),
            status=status,
        )
        found.append(
            Entry(
                at=one.at,
                until=one.until,
                uncertainty=shift.get(one.service) if one.at is not None else None,
                lane=one.service,
                what=marks.name_of(one),
                detail=marks.detail_of(one),
                fact=one.id,
                kind="span" if isinstance(one.fact, Span) else "event",
                depth=depth[index],
                parent=known[parent].id if parent is not None else None,
                status=status,
                badges=badges,
            )
        )
    return tuple(found)
