"""Many ids at once, each with its verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from timeline.answers import IdVerdict, SeenAnswer
from timeline.domain import Entity
from timeline.reading.coverage import CoverageReader
from timeline.redaction.asking import Asking
from timeline.search.query import AttributeIs, EntityIs, FieldIs, Node, Or, Query, ValueIs, Window, Words
from timeline.search.tokens import words
from timeline.store.port import Count, Store


class Sightings:
    """Judges pasted ids over one store."""

    def __init__(self, store: Store, coverage: CoverageReader, asking: Callable[[str], Asking]) -> None:
        self._store = store
        self._asking = asking
        self._coverage = coverage

    def seen(self, ids: Sequence[str], window: Window | None, *, workspace: str = "main") -> SeenAnswer:
        """A verdict per id, in the order given; repeated ids are judged once. A range is asked on
        either clock: what was sent in afterwards carries an older time of its own. Without one all that
        is stored is looked through, and "not seen" is judged by what an answer can be given for: a store
        may hold more than this database knows of."""
        if window is None:
            window, judged = Window(), self._coverage.held(workspace)
        else:
            window = judged = msgspec.structs.replace(
                window, on="either" if window.on == "event" else window.on
            )
        gathered = self._coverage.gather(judged, workspace)
        unique = list(dict.fromkeys(ids))
        asking = self._asking(workspace)
        found = self._store.sightings(
            [
                Query(where=_too(any_reading(text), text, asking), window=window, workspace=workspace)
                for text in unique
            ]
        )
        verdicts = []
        for text, sighting in zip(unique, found, strict=True):
            total = Count(value=sighting.count, variants=sighting.variants)
            verdict = self._coverage.judge(
                gathered, total, first=sighting.first, last=sighting.last, partial=sighting.partial
            )
            verdicts.append(IdVerdict(id=text, verdict=verdict, newest=sighting.newest))
        kinds = [one.verdict.kind for one in verdicts]
        return SeenAnswer(
            verdicts=tuple(verdicts),
            coverage=gathered.coverage,
            seen=kinds.count("seen"),
            not_seen=kinds.count("not_seen"),
            cannot_say=kinds.count("cannot_say"),
        )


def _too(node: Node, text: str, asking: Asking) -> Node:
    """The same for what a redaction rule made of it."""
    hashed = asking.text(text)
    return asking.too(node) if hashed == text else Or((asking.too(node), any_reading(hashed)))


def any_reading(text: str) -> Node:
    """Everything an identifier can be: an id of ours, of an event, trace, span or message,
    an entity, the value of any attribute, or a word of a text."""
    readings: list[Node] = [
        FieldIs("event_id", text),
        FieldIs("id", text),
        FieldIs("trace_id", text.lower()),
        FieldIs("span_id", text.lower()),
        AttributeIs("messaging.message.id", text),
        ValueIs(text),
    ]
    kind, _, name = text.partition(":")
    if kind and name:
        readings.append(EntityIs(Entity(type=kind, id=name)))
    if text_words := tuple(words(text)):
        readings.append(Words(text_words, phrase=True))
    return Or(tuple(readings))
