"""The keys page: whose each key is, where it may write, how much, and whether it is used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.conf import settings

from timeline import keys
from timeline.models import Token
from timeline.web import words

OVERLAPS: Final = (("0", "at once"), ("1", "in 1 hour"), ("24", "in 1 day"), ("168", "in 7 days"))


def keys_page(rows: Sequence[Token], now: datetime) -> dict[str, Any]:
    """Live keys first, and those that ended apart."""
    lines = [_line(row, now) for row in rows]
    live = [line for line in lines if line["state"] == "live"]
    senders = len({line["token"].name for line in live if line["token"].scope == Token.Scope.INGEST})
    return {
        "live": live,
        "ended": [line for line in lines if line["state"] != "live"],
        "sentence": _sentence(len(live), senders),
        "overlaps": OVERLAPS,
        "usual": settings.THROUGHLINE["THROUGHLINE_QUOTA_ITEMS"],
    }


def _sentence(live: int, senders: int) -> str:
    if not live:
        return "There is no live key."
    return f"{words.plural(live, 'live key')}; {words.plural(senders, 'sender')} may send with them."


def _line(row: Token, now: datetime) -> dict[str, Any]:
    return {
        "token": row,
        "state": keys.state(row, now),
        "created": _ns(row.created),
        "expires": _ns(row.expires),
        "used": _ns(row.last_used),
        "ended": _ns(row.revoked or row.expires),
        "quota": _quota(row),
    }


def _quota(row: Token) -> str:
    parts = []
    if row.quota_items:
        burst = f", {row.quota_burst:,} at once" if row.quota_burst else ""
        parts.append(f"{row.quota_items:,} items/s{burst}")
    if row.quota_bytes:
        parts.append(f"{words.size(row.quota_bytes)}/s")
    return "; ".join(parts)


def _ns(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 10**6) * 1000
