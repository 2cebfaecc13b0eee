"""The accounting of each sender as the HTTP API writes it."""

from __future__ import annotations

from typing import Any

from timeline.answers import Account, Accounting
from timeline.export.values import moment

_COUNTS = (
    "received",
    "refused",
    "inbox",
    "new",
    "already",
    "variant",
    "quarantined",
    "unaccounted",
    "requests",
)


def accounting_json(found: Accounting) -> dict[str, Any]:
    """Items of each sender and in all; times RFC 3339, ages in ns, rates in items a second."""
    return {
        "now": moment(found.now),
        "total": _account(found.total, found.now),
        "senders": [
            {"sender": one.sender, **_account(one, found.now), "reasons": _reasons(one)}
            for one in found.accounts
        ],
    }


def _account(one: Account, now: int) -> dict[str, Any]:
    return {
        **{name: getattr(one, name) for name in _COUNTS},
        "oldest": moment(one.oldest),
        "age": None if one.oldest is None else max(now - one.oldest, 0),
        "in_per_second": one.came,
        "out_per_second": one.went,
        "empty_in_seconds": one.empty_in,
    }


def _reasons(one: Account) -> list[dict[str, Any]]:
    return [{"what": what, "reason": why, "items": items} for what, why, items in one.reasons]
