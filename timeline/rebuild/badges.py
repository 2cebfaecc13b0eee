"""What an entry is marked with, and the line of detail beside its name."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from timeline.domain import Entry, Event, Finding, Span, Status
from timeline.rebuild.facts import Known

LATE = 60_000_000_000  # received this long after its end (design.md 3.4)
_ERROR_SEVERITY = 17  # OpenTelemetry log severity numbers: ERROR starts here
_DETAIL = 200
_EVIDENCE = 20  # facts named; the sentence carries the count
_PAIRS = 3


def status_of(known: Known) -> Status:
    """A span's own status; an event logged as an error counts as one."""
    if isinstance(known.fact, Span):
        return known.fact.status
    return "error" if known.fact.severity_number >= _ERROR_SEVERITY else "unset"


def is_late(known: Known) -> bool:
    """Received over 60 s after it ended; imported history is not late."""
    end = known.until if known.until is not None else known.at
    if end is None or not known.received or (isinstance(known.fact, Event) and known.fact.kind == "import"):
        return False
    return known.received - end > LATE


def sent_afterwards(entries: tuple[Entry, ...]) -> tuple[tuple[Entry, ...], tuple[Finding, ...]]:
    """Where a whole story was received late it was sent in afterwards: that is said once, not on
    every line, so that a line that came late on its own still stands out."""
    if len(entries) < 2 or not all("late" in entry.badges for entry in entries):
        return entries, ()
    finding = Finding(
        rule="sent afterwards",
        severity="info",
        sentence=f"All {len(entries):,} facts were received over a minute after they happened.",
        at=entries[0].at,
        evidence=tuple(entry.fact for entry in entries[:_EVIDENCE]),
    )
    bare = (replace(entry, badges=tuple(b for b in entry.badges if b != "late")) for entry in entries)
    return tuple(bare), (finding,)


def is_context(known: Known, subject: str) -> bool:
    """The subject only came along with this fact."""
    if not known.fact.context or ":" not in subject:
        return False
    entity = subject.partition(":")[::2]
    return all((one.type, one.id) != entity for one in known.fact.entities) and any(
        (one.type, one.id) == entity for one in known.fact.context
    )


def badges_of(
    one: Known,
    subject: str,
    parent: Known | None,
    *,
    orphan: bool,
    wrong: str,
    attempt: str,
    status: Status,
) -> tuple[str, ...]:
    """Everything an entry is marked with, in the order in which it is said."""
    found: list[str] = []
    if is_late(one):
        found.append("late")
    if orphan:
        found.append("orphan")
    if wrong:
        found.append(wrong)
    if one.variants > 0:
        found.append("variant")
    if is_context(one, subject):
        found.append("context")
    if status == "error":
        found.append("error")
    if attempt:
        found.append(attempt)
    if parent is not None:
        found += against_parent(one, parent)
    if one.at is None:
        found.append("no time")
    if one.stored.receipt.partial:
        found.append("partial")
    return tuple(found)


def against_parent(child: Known, parent: Known) -> list[str]:
    """Children that begin before their parent or end after it, by raw times.

    Handling a message after its sender is done is no exception, so that ends are not compared there.
    """
    found: list[str] = []
    if not isinstance(parent.fact, Span) or not isinstance(child.fact, Span):
        return found
    if child.at is not None and parent.at is not None and child.at < parent.at:
        found.append("before parent")
    apart = child.role in ("receive", "process", "settle") and child.service != parent.service
    apart = apart or parent.fact.kind == "producer" or child.fact.kind == "consumer"
    if apart or child.at is None or child.until is None or parent.until is None:
        return found
    if child.at <= parent.until < child.until:  # one that begins later was never waited for
        found.append("outlives parent")
    return found


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def _body(body: Any) -> str:
    """The first few plain values of a body, or its text."""
    if isinstance(body, dict):
        pairs = ((key, _scalar(value)) for key, value in body.items())
        return ", ".join(f"{key} {text}" for key, text in [pair for pair in pairs if pair[1]][:_PAIRS])
    return _scalar(body)


def detail_of(known: Known) -> str:
    """One short line: the error, else the body of an event, else where the message went."""
    fact = known.fact
    text = fact.status_message if isinstance(fact, Span) else _body(fact.body)
    if not text and fact.message is not None and fact.message.destination:
        place = [fact.message.destination, fact.message.partition, fact.message.offset]
        text = "/".join(str(part) for part in place if part is not None)
    if not text:
        return ""
    line = " ".join(text[: _DETAIL * 4].split())
    return line if len(line) <= _DETAIL else line[: _DETAIL - 1] + "…"


def name_of(known: Known) -> str:
    """What happened, in the sender's own words."""
    fact = known.fact
    if isinstance(fact, Span):
        return fact.name
    kind = fact.event.type if fact.event else None
    return kind or fact.name or ("log" if fact.kind == "log" else detail_of(known)[:80])
