"""Places in a list of rows, as text that only the same question takes back."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from timeline.errors import BadQuery
from timeline.search.query import Query

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_CHECK = 8


class Place(NamedTuple):
    """The last row given: its time in the asked order, and what orders it among equals."""

    time: int
    tie: int
    rank: int
    id: str


_decode = msgspec.msgpack.Decoder(tuple[int, int, int, str]).decode


def _check(place: bytes, query: Query, order: str) -> bytes:
    # not the range: "the last 24 hours" has moved on by the next page, and a place stays a place in it
    asked = (query.where, query.workspace, query.window.on, order)
    return blake2b(place + _encode(asked), digest_size=_CHECK).digest()


def write_cursor(place: Place, query: Query, order: str) -> str:
    """The cursor behind ``place`` for this question in this order."""
    data = _encode(tuple(place))
    return urlsafe_b64encode(_check(data, query, order) + data).decode("ascii").rstrip("=")


def read_cursor(cursor: str, query: Query, order: str) -> Place:
    """The place of a cursor; raises ``BadQuery`` for one that is not ours, or of another question."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        data = raw[_CHECK:]
        if raw[:_CHECK] == _check(data, query, order):
            return Place(*_decode(data))
    except (UnicodeEncodeError, Base64Error, ValueError, msgspec.DecodeError):
        pass
    raise BadQuery("this cursor belongs to another question", remedy="start again from the first page")
