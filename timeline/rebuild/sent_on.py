"""Messages that were sent on with the context they came with, given back to the span that sent them on.

Who takes a message and sends it on with its headers untouched sends the context of the first sender along: the
next consumer names a span that sent to another destination. Where one span sent to the consumer's own
destination while it handled that very message, and nobody else is known to have taken what it sent, this is it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from timeline.rebuild.facts import Known
from timeline.rebuild.family import Family
from timeline.rebuild.publications import Ledger, Publication
from timeline.rebuild.takes import Take, Taken


def give_back(
    taken: Iterable[Taken],
    by_span: Mapping[int, list[tuple[Taken, Take]]],
    known: list[Known],
    family: Family,
    ledger: Ledger,
) -> None:
    """Correct the publications of what was taken; nothing where several sends or messages may be meant."""
    strayed = _strayed(taken, known)
    if not strayed:
        return
    took = {one.publication.number for one in taken}
    senders: dict[tuple[int, str], list[Publication]] = {}
    wanted = {destination for _, destination in strayed}
    for one in ledger.all:
        if one.fact is None or one.many or one.number in took or one.destination not in wanted:
            continue
        for handling in family.ancestors(one.fact):
            for origin in {row.publication.fact for row, _ in by_span.get(handling, ())}:
                if origin is not None and (origin, one.destination) in strayed:
                    senders.setdefault((origin, one.destination), []).append(one)
    for place, rows in strayed.items():
        sent, messages = senders.get(place, []), {row.publication.number for row in rows}
        if len(sent) == 1 and len(messages) == 1:
            _correct(rows, sent[0], known, ledger)


def _strayed(taken: Iterable[Taken], known: list[Known]) -> dict[tuple[int, str], list[Taken]]:
    """What was taken from another destination than the span sent to whose context it carries."""
    found: dict[tuple[int, str], list[Taken]] = {}
    for one in taken:
        fact = one.publication.fact
        message = known[fact].fact.message if fact is not None else None
        if fact is None or message is None or one.destination is None or message.destination is None:
            continue
        if message.destination != one.destination and _by_context(one):
            found.setdefault((fact, one.destination), []).append(one)
    return found


def _by_context(one: Taken) -> bool:
    return any(take.mention.ref is not None for take in (*one.processes, *one.receives))


def _correct(rows: list[Taken], sent: Publication, known: list[Known], ledger: Ledger) -> None:
    before = rows[0].publication
    if before.fact is not None and before not in ledger.told_by(known[before.fact].ref):
        before.fact = None  # it was made up for this message only
    for row in rows:
        row.publication = sent
        for take in (*row.processes, *row.receives):
            sent.learn(take.mention)
