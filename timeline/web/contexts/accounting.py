"""The accounting on the senders page: a line for each sender, and how fast what waits goes down."""

from __future__ import annotations

from typing import Any

from timeline.answers import Account, Accounting
from timeline.reading.accounting import PARTS
from timeline.web import words

_SECOND = 10**9


def accounting_part(found: Accounting) -> dict[str, Any]:
    """What the partials ``_backlog`` and ``_accounts`` show."""
    return {
        "backlog": _backlog(found.total, found.now),
        "accounts": [
            {
                "account": one,
                "counts": [getattr(one, part) for part in PARTS],
                "why": _why(one),
                "age": _age(one, found.now),
                "emptying": _emptying(one),
            }
            for one in found.accounts
        ],
        "uneven": [one for one in found.accounts if one.unaccounted],
    }


def _backlog(total: Account, now: int) -> dict[str, Any]:
    return {
        "account": total,
        "age": _age(total, now),
        "came": total.came,
        "went": total.went,
        "emptying": _emptying(total),
    }


def _age(one: Account, now: int) -> str:
    return "" if one.oldest is None else words.about(max(now - one.oldest, 0))


def _emptying(one: Account) -> str:
    if not one.inbox:
        return "empty"
    if one.empty_in is None:
        return "not at these rates" if one.came or one.went else "nothing is being indexed"
    return f"in {words.about(int(one.empty_in * _SECOND))}"


def _why(one: Account) -> str:
    """Reasons of what was refused or set aside, for the title of the line."""
    return ", ".join(f"{items:,} {what}: {why.replace('_', ' ')}" for what, why, items in one.reasons)
