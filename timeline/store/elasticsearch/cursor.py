"""Places in a list, as text that only the same question takes back."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from timeline.errors import BadQuery

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_CHECK = 8
_Place = TypeVar("_Place", bound=tuple[Any, ...])


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
