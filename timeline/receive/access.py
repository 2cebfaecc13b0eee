"""Who may send: ingest keys, the keyless loopback, and browsers of allowed origins.

Cookies and addresses named in headers count for nothing; a forwarding header only ever
takes rights away.
"""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from timeline.errors import QueueUnavailable, Unavailable
from timeline.receive.answers import Answer, Refused, Request

FRESH: Final = 5.0  # seconds a verdict on a key is believed: a revoked key is dead after these
STALE: Final = 60.0  # seconds it still serves while the database cannot be asked
_KEPT: Final = 4096  # verdicts in memory
_FORWARDED: Final = ("forwarded", "via", "x-real-ip")
_CHALLENGE: Final = (("www-authenticate", "Bearer"),)
_PREFLIGHT_AGE: Final = "7200"


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Whose request it is; the name is empty for the keyless loopback."""

    name: str = ""
    workspace: str = "main"
    environment: str = ""  # the only one it may write into; empty for any
    quota_items: int | None = None  # a second; None: what the settings say
    quota_burst: int | None = None
    quota_bytes: int | None = None  # a second
    key: int = 0  # number of its key, 0 where it has none


Look = Callable[[str], "Sender | None"]  # raises Unavailable where the database cannot be asked


class Keys:
    """Verdicts on keys, asked at most every five seconds each; ``used`` is told of every live one then."""

    def __init__(self, look: Look, used: Callable[[int], None] = lambda key: None) -> None:
        self._look = look
        self._used = used
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[float, Sender | None]] = {}  # by hash: no key stays readable in memory

    def remembered(self, secret: str, age: float = FRESH) -> tuple[Sender | None] | None:
        """The verdict in memory as a 1-tuple, or ``None`` where it is older than ``age`` seconds."""
        entry = self._known.get(_hashed(secret))
        return (entry[1],) if entry and time.monotonic() - entry[0] <= age else None

    def ask(self, secret: str) -> Sender | None:
        """The verdict of the database, or a stale one while it is away; else raises ``Unavailable``."""
        asked = time.monotonic()
        try:
            found = self._look(secret)
        except Unavailable:
            stale = self.remembered(secret, STALE)
            if stale is None or stale[0] is None:
                raise
            return stale[0]
        if found is not None:
            self._used(found.key)
        with self._lock:
            while len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            self._known[_hashed(secret)] = (asked, found)
        return found


def secret_of(headers: Mapping[str, str]) -> str:
    """The key a request carries, empty where it has none."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return headers.get("x-throughline-key", "").strip()


class Gate:
    """Decides whether a request without or with a key may go on."""

    def __init__(self, *, host: str, origins: list[str]) -> None:
        self._loopback = is_loopback(host)
        self._origins = frozenset(origins)

    def keyless(self, request: Request) -> Sender:
        """Only the machine itself, straight, and no web page of a foreign origin."""
        if not (self._loopback and is_loopback(request.peer)) or _was_forwarded(request.headers):
            raise Refused(
                401,
                "an ingest key is needed here; make one with `manage.py token create --ingest` and send it as"
                " Authorization: Bearer",
                reason="no_key",
                headers=_CHALLENGE,
            )
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._origins:
            raise Refused(
                403,
                "this origin may not send from browsers; add it to THROUGHLINE_CORS_ORIGINS",
                reason="foreign_origin",
            )
        return Sender()

    def cors(self, request: Request) -> tuple[tuple[str, str], ...]:
        """Headers by which a browser lets an allowed page read the answer."""
        origin = request.headers.get("origin")
        if origin is None or origin not in self._origins:
            return ()
        return (("access-control-allow-origin", origin), ("vary", "origin"))

    def preflight(self, request: Request) -> Answer:
        """The answer to a browser that asks first (Fetch standard, CORS preflight)."""
        allowed = self.cors(request)
        if not allowed:
            raise Refused(403, "this origin may not send from browsers; add it to THROUGHLINE_CORS_ORIGINS")
        headers = [
            *allowed,
            ("access-control-allow-methods", "POST"),
            ("access-control-allow-headers", _asked_headers(request.headers)),
            ("access-control-max-age", _PREFLIGHT_AGE),
        ]
        if request.headers.get("access-control-request-private-network") == "true":
            headers.append(("access-control-allow-private-network", "true"))
        return Answer(status=204, headers=tuple(headers))


def unknown_key(secret: str) -> Refused:
    """What a key gets that may not send; the kind is read off its public prefix."""
    if secret.startswith("tl_read_"):
        return Refused(
            403,
            "this token reads; sending needs one made with `manage.py token create --ingest`",
            reason="read_token",
        )
    return Refused(
        401,
        "this key is unknown, expired or revoked; make one with `manage.py token create --ingest`",
        reason="bad_key",
        headers=_CHALLENGE,
    )


def lookup_failed(error: Exception) -> QueueUnavailable:
    """What ``Look`` raises where the database is away."""
    return QueueUnavailable(f"keys cannot be looked up: {error}", remedy="send again in a second")


def is_loopback(host: str) -> bool:
    """Whether an address, or the name localhost, never leaves this machine."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _was_forwarded(headers: Mapping[str, str]) -> bool:
    return any(name in _FORWARDED or name.startswith("x-forwarded") for name in headers)


def _asked_headers(headers: Mapping[str, str]) -> str:
    asked = [name.strip().lower() for name in headers.get("access-control-request-headers", "").split(",")]
    plain = [
        name
        for name in asked
        if name and len(name) < 64 and name.replace("-", "").isalnum() and name.isascii()
    ]
    return ", ".join(plain[:50]) or "content-type"
