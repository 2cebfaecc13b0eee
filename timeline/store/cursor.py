"""Places in a list, as text that only the same question takes back."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from timeline.errors import BadQuery
from timeline.search.query import Query
from timeline.store.port import CohortQuery, Order

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_CHECK = 8
_Place = TypeVar("_Place", bound=tuple[Any, ...])


def search_asked(query: Query, order: Order) -> tuple[Any, ...]:
    """What makes a search the same one on its next page."""
    # not the range: "the last 24 hours" has moved on by the next page, and a place stays a place in it
    return (query.where, query.workspace, query.window.on, order)


def cohort_asked(query: CohortQuery) -> tuple[Any, ...]:
    """What makes a question for a cohort the same one; the moment it is asked is no part of it."""
    return (
        "cohort", query.type, query.reached, query.missing, query.quiet_for, query.environment, query.workspace,
    )  # fmt: skip


def _check(place: bytes, asked: Any) -> bytes:
    return blake2b(place + _encode(asked), digest_size=_CHECK).digest()


def write_cursor(place: tuple[Any, ...], asked: Any) -> str:
    """The cursor behind ``place`` for a question; ``asked`` is what makes it the same question."""
    data = _encode(place)
    return urlsafe_b64encode(_check(data, asked) + data).decode("ascii").rstrip("=")


def read_cursor(cursor: str, asked: Any, kind: type[_Place]) -> _Place:
    """The place of a cursor; raises ``BadQuery`` for one that is not ours, or of another question."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        data = raw[_CHECK:]
        if raw[:_CHECK] == _check(data, asked):
            place: _Place = msgspec.msgpack.decode(data, type=kind)
            return place
    except (UnicodeEncodeError, Base64Error, ValueError, msgspec.DecodeError):
        pass
    raise BadQuery("this cursor belongs to another question", remedy="start again from the first page")
