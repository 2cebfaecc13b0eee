"""Markers of deploys and changes, from JSON: what happened beside the events, and when.

``{"title": "wallet 2.14.0", "kind": "deploy", "at": "2026-11-21T17:55:00Z"}`` or a list of such; ``service`` and
``version`` stand for a title, and a marker without ``at`` is of the moment in which it came.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from timeline.errors import BadQuery, MalformedPayload, TooLarge
from timeline.search.times import parse_time

MOST: Final = 100  # in one request
LIMIT: Final = 256 << 10  # bytes of one request
KINDS: Final = ("deploy", "change", "incident", "note")
_LENGTHS: Final = {
    "title": 200,
    "service": 200,
    "version": 100,
    "environment": 100,
    "url": 1000,
}
_KNOWN: Final = (*_LENGTHS, "kind", "at", "until")
AHEAD: Final = 86_400 * 10**9  # ns that a marker may lie ahead: what never comes never goes
_REMEDY: Final = (
    'send {"title": "wallet 2.14.0", "kind": "deploy", "at": "2026-11-21T17:55:00Z"}, or a list of such'
)


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One marker; ``at`` and ``until`` are ns UTC."""

    at: int
    until: int | None = None
    kind: str = "deploy"
    title: str
    service: str = ""
    version: str = ""
    environment: str = ""
    url: str = ""

    def digest(self) -> str:
        """The same for markers that say the same."""
        return hashlib.sha256(msgspec.json.encode(msgspec.structs.astuple(self))).hexdigest()


def read(body: bytes, now: int) -> list[Mark]:
    """The markers of a request; raises ``MalformedPayload`` or ``TooLarge``, and then takes none of them."""
    if len(body) > LIMIT:
        raise TooLarge(f"markers take at most {LIMIT >> 10} KiB", remedy="send them in parts")
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedPayload(f"this is no JSON: {error}", remedy=_REMEDY) from error
    items = data if isinstance(data, list) else [data]
    if not items:
        raise MalformedPayload("there is no marker in it", remedy=_REMEDY)
    if len(items) > MOST:
        raise TooLarge(f"{len(items):,} markers are more than {MOST} at once", remedy="send them in parts")
    return [_mark(item, place, now) for place, item in enumerate(items)]


def _mark(item: Any, place: int, now: int) -> Mark:
    if not isinstance(item, dict):
        raise MalformedPayload(f"marker {place} is no object", remedy=_REMEDY)
    unknown = sorted(str(name)[:40] for name in item if name not in _KNOWN)
    if unknown:
        raise MalformedPayload(
            f"marker {place} names {', '.join(unknown[:5])}", remedy=f"a marker has {', '.join(_KNOWN)}"
        )
    said = {name: _text(item, name, place) for name in _LENGTHS}
    title = said["title"] or f"{said['service']} {said['version']}".strip()
    if not title:
        raise MalformedPayload(f"marker {place} has no title and no service", remedy=_REMEDY)
    kind = item.get("kind", "deploy")
    if kind not in KINDS:
        raise MalformedPayload(f"marker {place} is of no known kind", remedy=f"kind is {', '.join(KINDS)}")
    if said["url"] and not said["url"].startswith(("https://", "http://")):
        raise MalformedPayload(
            f"the url of marker {place} is no web address", remedy="begin it with https://"
        )
    at = _moment(item, "at", place, now)
    until = _moment(item, "until", place, now)
    at = now if at is None else at
    if until is not None and until < at:
        raise MalformedPayload(f"marker {place} ends before it begins", remedy="until is the later moment")
    return Mark(at=at, until=until, kind=kind, **{**said, "title": title[:200]})


def _text(item: dict[str, Any], name: str, place: int) -> str:
    value = item.get(name, "")
    if not isinstance(value, str):
        raise MalformedPayload(f"{name} of marker {place} is no text", remedy=_REMEDY)
    if len(value) > _LENGTHS[name]:
        raise TooLarge(f"{name} of marker {place} has over {_LENGTHS[name]} characters", remedy="shorten it")
    return value.strip()


def _moment(item: dict[str, Any], name: str, place: int, now: int) -> int | None:
    value = item.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise MalformedPayload(f"{name} of marker {place} is no moment", remedy=_REMEDY)
    try:
        moment = parse_time(str(value), now)
    except BadQuery as error:
        raise MalformedPayload(f"{name} of marker {place}: {error.message}", remedy=error.remedy) from error
    if moment > now + AHEAD:
        raise MalformedPayload(
            f"{name} of marker {place} is over a day ahead", remedy="tell of it when it is near"
        )
    return moment
