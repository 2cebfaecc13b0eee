"""How much a sender may send: so many items and bytes a second, with room for bursts.

Judged before a body is read, by what the requests before it turned out to hold: a sender goes on
until its room is used up, and is told to come back when some is free again. It costs two
subtractions; nothing is parsed to refuse.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from typing import Final

import msgspec

from timeline.receive.access import Sender
from timeline.receive.answers import Refused

_BURST: Final = 10  # seconds' worth that may come at once where a key does not say
_PATIENCE: Final = 5  # s at most to wait: some exporters drop a batch that is told to wait longer
_IDLE: Final = 3600.0  # s after which a sender that sent nothing is forgotten


class _Bucket:
    """Room for one kind of thing; it may be overdrawn by one request."""

    def __init__(self, rate: float, most: float, now: float) -> None:
        self.rate, self._most, self._left, self._at = rate, most, most, now

    def wait(self, now: float) -> float:
        """Seconds until there is room again; 0 while there is."""
        self._left = min(self._most, self._left + (now - self._at) * self.rate)
        self._at = max(self._at, now)
        return 0.0 if self._left > 0 else (1 - self._left) / self.rate

    def take(self, much: float) -> None:
        """Use room."""
        self._left -= much


class _Account(msgspec.Struct):
    terms: tuple[int | None, int | None, int | None]
    items: _Bucket | None
    bytes: _Bucket | None
    used: float

    def buckets(self) -> Iterator[_Bucket]:
        """Those that bound this sender."""
        yield from (one for one in (self.items, self.bytes) if one is not None)


class Quotas:
    """What each sender has left, by its name: keys of one name share it. Safe to share between threads."""

    def __init__(self, items: int = 0) -> None:
        self._default = items or None
        self._accounts: dict[str, _Account] = {}
        self._lock = threading.Lock()

    def check(self, sender: Sender) -> None:
        """Raises ``Refused`` (429) where the sender has used up what it may send."""
        with self._lock:
            account = self._account(sender)
            if account is None:
                return
            wait = max(bucket.wait(account.used) for bucket in account.buckets())
        if wait:
            raise over(sender, wait)

    def charge(self, sender: Sender, *, items: int, size: int) -> None:
        """Use room for a request: its items, and its bytes as they came."""
        with self._lock:
            account = self._account(sender)
            if account is not None and account.items is not None:
                account.items.take(items)
            if account is not None and account.bytes is not None:
                account.bytes.take(size)

    def _account(self, sender: Sender) -> _Account | None:
        rate = sender.quota_items or self._default
        if rate is None and sender.quota_bytes is None:
            return None
        now, terms = time.monotonic(), (rate, sender.quota_burst, sender.quota_bytes)
        account = self._accounts.get(sender.name)
        if account is None or account.terms != terms:
            self._forget(now)
            volume = sender.quota_bytes
            account = self._accounts[sender.name] = _Account(
                terms=terms,
                items=_Bucket(rate, sender.quota_burst or _BURST * rate, now) if rate else None,
                bytes=_Bucket(volume, _BURST * volume, now) if volume else None,
                used=now,
            )
        account.used = now
        return account

    def _forget(self, now: float) -> None:
        idle = [name for name, account in self._accounts.items() if now - account.used > _IDLE]
        for name in idle:
            del self._accounts[name]


def over(sender: Sender, wait: float) -> Refused:
    """What a sender is told that has used up its quota."""
    seconds = min(_PATIENCE, max(1, math.ceil(wait)))
    whose = f"the key {sender.name!r}" if sender.name else "sending without a key"
    return Refused(
        429,
        f"{whose} is over its quota; send less, or ask an operator for more. What was sent before is kept,"
        " and nothing of this request",
        reason="quota",
        headers=(("retry-after", str(seconds)),),
    )
