"""The redaction page: what each rule takes out, and what one would take out of samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from timeline.domain import Event, Stored, Value
from timeline.errors import Rejected
from timeline.ingest.values import loads
from timeline.models import RedactionRule
from timeline.redaction.detectors import DETECTORS
from timeline.redaction.rules import GONE, Redaction, as_text
from timeline.redactions import rule_of
from timeline.web import words

ACTIONS: Final = (
    ("hash", "hash it: findable by its exact value"),
    ("mask", "mask it"),
    ("drop", "drop it"),
)
_SHOWN: Final = 50  # keys
_LONG: Final = 300  # characters of one side


class Change(msgspec.Struct):
    """One value before and after, of as many under its key; ``after`` is ``None`` where it would be dropped."""

    where: str
    key: str
    before: str
    after: str | None
    href: str = ""
    count: int = 1


class Sample(msgspec.Struct, frozen=True):
    """What a rule would do: ``sentence`` says it in short."""

    sentence: str
    changes: tuple[Change, ...]


def redaction_page(rows: Sequence[RedactionRule]) -> dict[str, Any]:
    """Rules in force first, and those that ended apart."""
    lines = [{"rule": row, "title": rule_of(row).title} for row in rows]
    live = [line for line in lines if line["rule"].ended is None]  # type: ignore[attr-defined]
    return {
        "live": live,
        "ended": [line for line in lines if line["rule"].ended is not None],  # type: ignore[attr-defined]
        "sentence": _sentence(len(live)),
        "detectors": DETECTORS.values(),
        "actions": ACTIONS,
    }


def of_text(text: str, redaction: Redaction) -> Sample:
    """A pasted sample, JSON or any text, with what would be taken out of it."""
    value: Value
    try:
        value = loads(text.encode("utf-8", "replace"))
    except Rejected:
        value = text
    after = redaction.body(value)
    taken = sum(redaction.counted().values())
    if not taken:
        return Sample("Nothing would be taken out of this sample.", ())
    change = Change("", "", _short(text), None if after is None else _short(as_text(after)))
    return Sample(f"{words.plural(taken, 'value')} would be taken out of this sample.", (change,))


def of_facts(facts: Iterable[Stored], redaction: Redaction) -> Sample:
    """The newest facts, with what would have been taken out of them: one example of each key, most first."""
    by_key: dict[str, Change] = {}
    count = touched = 0
    for stored in facts:
        count += 1
        found = list(_changes(stored, redaction))
        touched += bool(found)
        for change in found:
            known = by_key.setdefault(change.key, change)
            known.count += known is not change
    taken = sum(redaction.counted().values())
    newest = f"the newest {words.plural(count, 'fact')}"
    if not taken:
        return Sample(f"Nothing would have been taken out of {newest}.", ())
    shown = sorted(by_key.values(), key=lambda change: -change.count)[:_SHOWN]
    return Sample(
        f"{words.plural(taken, 'value')} would have been taken out of {touched:,} of {newest}.",
        tuple(shown),
    )


def _changes(stored: Stored, redaction: Redaction) -> Iterator[Change]:
    fact = stored.fact
    pairs: list[tuple[str, Value]] = [*fact.attributes.items(), *fact.resource.items()]
    if isinstance(fact, Event):
        pairs.append(("body", fact.body))
    else:
        pairs += [pair for note in fact.annotations for pair in note.attributes.items()]
        pairs.append(("status message", fact.status_message))
    pairs.append(("name", fact.name))
    for key, value in pairs:
        after = redaction.body(value) if key == "body" else redaction.value(key, value)
        if after is GONE or after != value:
            gone = after is GONE or after is None
            new = None if gone else _short(as_text(after))
            yield Change(fact.name, key, _short(as_text(value)), new, f"/facts/{stored.receipt.id}")


def _sentence(live: int) -> str:
    if not live:
        return "No redaction rule is in force: everything is kept as it is sent."
    return f"{words.plural(live, 'redaction rule')} in force."


def _short(text: str) -> str:
    return text if len(text) <= _LONG else text[:_LONG] + "…"
