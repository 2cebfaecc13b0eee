"""What counts as a step of a business process.

People name a step by what happened: the event type (``BetPlaced``). Where a fact carries
none, a message says what was done with which destination (``process bets``), and any other
span its name (``POST /bets``). A log record without an event type is no step: its text
differs from record to record.
"""

from __future__ import annotations

from typing import Final

from timeline.domain import Row
from timeline.search.tokens import value_token

_BY_KIND: Final = {"producer": "send", "consumer": "process"}


def step_of(row: Row) -> str | None:
    """The step that a fact is, at most 290 characters (a longer name ends in a hash), or ``None``."""
    if row.type:
        return step_name(row.type)
    if row.event_kind == "log":
        return None
    if row.destination:
        operation = row.operation or _BY_KIND.get(row.span_kind or "", "")
        return step_name(f"{operation} {row.destination}".strip())
    return step_name(row.name) if row.name else None


def step_name(text: str) -> str:
    """The name of a step as summaries hold it: what a person types goes through here too."""
    return value_token(text)
