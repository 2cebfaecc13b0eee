"""Deliveries: one ``Hop`` per (message, consumer group or queue, attempt).

The receive, process and settle spans of one delivery fold into its hop. Without a group, the consuming
service stands for it. A batch span gives one hop per message it names.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from timeline.domain import Hop, Span
from timeline.rebuild.facts import Known, Ref
from timeline.rebuild.family import Family
from timeline.rebuild.mentions import Mention, mentions
from timeline.rebuild.publications import Ledger, Publication, ledger_of
from timeline.rebuild.sent_on import give_back
from timeline.rebuild.takes import Attempt, Receives, Take, Taken

Outcome: TypeAlias = Literal["done", "failed", "in flight", "unconsumed", "unknown"]
_NEGATIVE = ("nack", "reject", "abandon", "dead_letter", "deadletter", "release", "requeue")


class Delivery(msgspec.Struct, gc=False):
    """A hop and the facts behind it, by index, for ordering and findings."""

    hop: Hop
    publication: Publication
    producer: int | None = None
    receiver: int | None = None
    consumer: int | None = None
    settled: int | None = None
    batched: bool = False
    consumer_key: str = ""


class _Folder:
    """Collects what consumers took, then makes hops of it."""

    def __init__(self, known: list[Known], family: Family, ledger: Ledger) -> None:
        self.known, self.family, self.ledger = known, family, ledger
        self.groups = self._groups()
        self.taken: dict[tuple[int, str | None, str], Taken] = {}
        self.by_span: dict[int, list[tuple[Taken, Take]]] = {}
        self.busy = {parent for parent in family.parent if parent is not None}

    def _groups(self) -> dict[tuple[str, str | None], str]:
        """The one group a service reads a destination with, for spans that leave it out."""
        seen: dict[tuple[str, str | None], set[str]] = {}
        for one in self.known:
            message = one.fact.message
            if message and message.group and one.role in ("receive", "process", "settle"):
                seen.setdefault((one.service, message.destination), set()).add(message.group)
        return {place: next(iter(groups)) for place, groups in seen.items() if len(groups) == 1}

    def take(self, one: Known) -> None:
        """Fold one receive, process or settle span in."""
        parent = self.family.parent[one.index]
        named = mentions(one, None if parent is None else self.known[parent], self.ledger.spans)
        if len(named) == 1 and not named[0].identified:
            inherited = self._inherited(one, named[0])
            if inherited:
                for taken, take in inherited:
                    self._put(taken, Take(known=one, mention=take.mention, by=take.by), one)
                return
        if one.role == "settle" and named[0].ref is None and not named[0].identified:
            return
        for mention in named:
            publication, by = self.ledger.find(mention, one)
            destination = mention.destination or publication.destination
            group = mention.group or self.groups.get((one.service, destination))
            key = group or one.service
            place = (publication.number, destination, key)
            found = self.taken.get(place)
            if found is None:
                found = self.taken[place] = Taken(
                    publication=publication, key=key, group=group, destination=destination,
                    receives=[], processes=[], settles=[],
                )  # fmt: skip
            self._put(found, Take(known=one, mention=mention, by=by), one)

    def _inherited(self, one: Known, mention: Mention) -> list[tuple[Taken, Take]]:
        """What the enclosing consuming span took, for a span that names no message of its own."""
        if mention.by in ("link", "batch link") or (
            mention.ref is not None and self.ledger.told_by(mention.ref)
        ):
            return []
        for ancestor in self.family.ancestors(one.index, 8):
            if self.known[ancestor].service != one.service:
                return []
            rows = self.by_span.get(ancestor)
            if rows:
                return rows if len(rows) == 1 or one.role == "settle" else []
        return []

    def _put(self, taken: Taken, take: Take, one: Known) -> None:
        rows = {"receive": taken.receives, "process": taken.processes, "settle": taken.settles}[one.role]
        rows.append(take)
        self.by_span.setdefault(one.index, []).append((taken, take))

    def attempts(self, taken: Taken) -> list[Attempt]:
        """Handlings in order: each with the receive and the settle that belong to it."""
        outer, around = self._handlings(taken.processes)
        inside = {take.known.index for take in taken.processes}
        receives = taken.receives + around
        found = [Attempt(process=take) for take in outer]
        free = {take.known.index: take for take in taken.receives}
        receiver = Receives(receives)
        for attempt in found:
            attempt.receive = receiver.of(attempt.process, self.family)
        for attempt in found:
            if attempt.receive is not None:
                free.pop(attempt.receive.known.index, None)
        alone = [
            take
            for take in free.values()
            if not inside.intersection(self.family.ancestors(take.known.index, 8))
        ]
        found += [Attempt(receive=take) for take in alone]
        found.sort(key=lambda attempt: _order(attempt))
        self._settle(taken.settles, found)
        return found

    def _handlings(self, processes: list[Take]) -> tuple[list[Take], list[Take]]:
        """Which of nested process spans are the handlings, and which only enclose them.

        The outermost is the handling, unless it is a batch or holds several tries of one message.
        """
        if len(processes) < 2:
            return processes, []
        places = {take.known.index: take for take in processes}
        inner: dict[int, list[Take]] = {}
        nested: set[int] = set()
        for take in processes:
            for ancestor in self.family.ancestors(take.known.index, 8):
                if ancestor in places and ancestor != take.known.index:
                    inner.setdefault(ancestor, []).append(take)
                    nested.add(take.known.index)
                    break
        opened = {index for index, rows in inner.items() if len(rows) > 1 or places[index].mention.batched}
        raised = {one.known.index for index in opened for one in inner[index]}
        left_out = opened | (nested - raised)
        outer = [take for index, take in places.items() if index not in left_out]
        return outer, [places[index] for index in places if index in opened]

    def _settle(self, settles: list[Take], attempts: list[Attempt]) -> None:
        """Give each settle span to the attempt around it, else to the last one begun before it."""
        owner: dict[int, Attempt] = {}
        for attempt in attempts:
            for take in (attempt.process, attempt.receive):
                if take is not None:
                    owner.setdefault(take.known.index, attempt)
        begun = sorted((_order(attempt)[1], place) for place, attempt in enumerate(attempts))
        for settle in settles if attempts else ():
            above = next((one for one in self.family.ancestors(settle.known.index, 8) if one in owner), None)
            last = bisect_right(begun, (settle.known.index, len(begun))) - 1
            attempt = attempts[begun[max(0, last)][1]] if above is None else owner[above]
            attempt.settle = settle

    def deliveries(self, taken: Taken) -> list[Delivery]:
        """One delivery per attempt."""
        attempts = self.attempts(taken)
        numbers = _numbers(attempts)
        total = max([*numbers, len(attempts)], default=1)
        return [
            self._delivery(taken, attempt, number, total)
            for attempt, number in zip(attempts, numbers, strict=True)
        ]

    def _delivery(self, taken: Taken, attempt: Attempt, number: int, total: int) -> Delivery:
        publication = taken.publication
        main = attempt.process or attempt.receive
        assert main is not None  # noqa: S101 - an attempt is made from one of them
        consumer = attempt.process.known if attempt.process else None
        receiver = attempt.receive.known if attempt.receive else None
        settled = attempt.settle.known if attempt.settle else None
        told = settled or (consumer if consumer and _acknowledged(consumer) else None)
        producer = None if publication.fact is None else self.known[publication.fact]
        started = consumer.at if consumer else None
        received = (receiver.until if receiver.until is not None else receiver.at) if receiver else None
        hop = Hop(
            event=publication.event or publication.id,
            destination=taken.destination,
            producer=producer.id if producer else None,
            receiver=receiver.id if receiver else None,
            consumer=consumer.id if consumer else None,
            producer_service=producer.service if producer else "",
            consumer_service=main.known.service,
            group=taken.group,
            partition=publication.partition,
            offset=publication.offset,
            sent=self._sent(publication, started if started is not None else received),
            received=received,
            started=started,
            done=consumer.until if consumer else None,
            attempt=number,
            attempts=total,
            outcome=self._outcome(consumer, receiver, settled),
            joined_by=main.by,
            settled=told.id if told else None,
        )
        return Delivery(
            hop=hop,
            publication=publication,
            producer=publication.fact,
            receiver=receiver.index if receiver else None,
            consumer=consumer.index if consumer else None,
            settled=settled.index if settled else None,
            batched=main.mention.batched,
            consumer_key=taken.key,
        )

    def _sent(self, publication: Publication, taken_at: int | None) -> int | None:
        """The latest moment at which the broker can have got it: the end of sending, unless it was
        taken before the sender had its acknowledgement."""
        if publication.sender is None:
            return None
        sender = self.known[publication.sender]
        begun, ended = sender.at, sender.until
        if begun is None or ended is None or ended < begun:
            return begun
        if taken_at is not None and begun <= taken_at < ended:
            return taken_at
        return ended

    def _outcome(self, consumer: Known | None, receiver: Known | None, settled: Known | None) -> Outcome:
        if settled is not None and (_failed(settled) or _negative(settled)):
            return "failed"
        main = consumer or receiver
        if main is None:
            return "unknown"
        if _failed(main):
            return "failed"
        if settled is not None:
            return "done"
        if consumer is not None:
            return "in flight" if consumer.until is None else "done"
        return "done" if main.index in self.busy else "in flight"

    def open_hop(self, publication: Publication, group: str | None, outcome: Outcome) -> Delivery:
        """A message that a group has not taken."""
        assert publication.fact is not None  # noqa: S101 - only told publications are open
        producer = self.known[publication.fact]
        hop = Hop(
            event=publication.event or publication.id,
            destination=publication.destination,
            producer=producer.id,
            producer_service=producer.service,
            group=group,
            partition=publication.partition,
            offset=publication.offset,
            sent=self._sent(publication, None),
            outcome=outcome,
        )
        return Delivery(hop=hop, publication=publication, producer=publication.fact, consumer_key=group or "")


def _failed(known: Known) -> bool:
    return isinstance(known.fact, Span) and known.fact.status == "error"


def _acknowledged(known: Known) -> bool:
    """Whether a process span says itself that its message was settled."""
    return "throughline.message.settled" in known.fact.attributes


def _negative(known: Known) -> bool:
    name = known.fact.attributes.get("messaging.operation.name")
    text = name if isinstance(name, str) else known.fact.name.partition(" ")[0]
    return text.lower().endswith(_NEGATIVE)


def _order(attempt: Attempt) -> tuple[int, int]:
    main = attempt.process or attempt.receive
    return ((main.mention.attempt or 0), main.known.index) if main else (0, 0)


def _numbers(attempts: list[Attempt]) -> list[int]:
    """What the broker counted where it is consistent, else 1, 2, 3."""
    said = [(one.process or one.receive).mention.attempt for one in attempts]  # type: ignore[union-attr]
    told = [number for number in said if number is not None and number > 0]
    if len(told) == len(attempts) and len(set(told)) == len(told):
        return told
    return list(range(1, len(attempts) + 1))


def _open(folder: _Folder, groups: Mapping[str, frozenset[str]], covered: bool) -> list[Delivery]:
    """Messages that a known group has not taken, and those that nobody at all is known to take."""
    took: dict[int, set[str]] = {}
    places: dict[int, set[str]] = {}
    for taken in folder.taken.values():
        took.setdefault(taken.publication.number, set()).add(taken.key)
        if taken.destination:
            places.setdefault(taken.publication.number, set()).add(taken.destination)
    nameless = {taken.publication.number for taken in folder.taken.values() if taken.group is None}
    outcome: Outcome = "unconsumed" if covered else "unknown"
    found: list[Delivery] = []
    for one in folder.ledger.all:
        if one.fact is None or one.sender is None or one.many or one.destination is None:
            continue
        at = {one.destination} | places.get(one.number, set())
        expected = {group for place in at for group in groups.get(place, ())}
        missing = expected - took.get(one.number, set())
        if one.number in nameless:  # a consumer that does not say its group may be any of them
            continue
        # what failed to be sent may never have reached the broker: that nobody took it is nobody's fault
        of_this: Outcome = "unknown" if _failed(folder.known[one.sender]) else outcome
        found += [folder.open_hop(one, group, of_this) for group in sorted(missing)]
        if not expected and one.number not in took:
            found.append(folder.open_hop(one, None, "unknown"))
    return found


def deliveries(
    known: list[Known],
    family: Family,
    by_ref: dict[Ref, list[Known]],
    groups: Mapping[str, frozenset[str]],
    covered: bool,
) -> list[Delivery]:
    """Every hop that the facts prove, and the open ones; in no particular order."""
    ledger = ledger_of(known, family, by_ref)
    folder = _Folder(known, family, ledger)
    for role in ("receive", "process", "settle"):  # a process span may take over what its receive span says
        for one in known:
            if one.role == role:
                folder.take(one)
    give_back(folder.taken.values(), folder.by_span, known, family, ledger)
    found: list[Delivery] = []
    for taken in folder.taken.values():
        found += folder.deliveries(taken)
    return found + _open(folder, groups, covered)
