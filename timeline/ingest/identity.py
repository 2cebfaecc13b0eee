"""Who a fact is: its id, its identity, its content hash and its place among equals.

An id is 20 characters of base64url: 6 bytes of big-endian ms, then 9 bytes of hash over
workspace and identity. Ids therefore name the day they belong to, and the same fact gets
the same id however often and in whatever encoding it arrives.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from hashlib import blake2b
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any, Final

import msgspec
import xxhash

from timeline.storable import Storable

FIRST_NS: Final = 946_684_800_000_000_000  # 2000-01-01T00:00Z
LAST_NS: Final = 4_102_444_800_000_000_000  # 2100-01-01T00:00Z, exclusive
MAX_POSITION: Final = (1 << 18) - 1

# Attributes are a set of pairs: their order is no part of the content.
_encode = msgspec.msgpack.Encoder(order="sorted").encode
packed = _encode
"""A value as it is hashed."""
ALPHABET: Final = ascii_uppercase + ascii_lowercase + digits + "-_"  # of ids, by the value of each digit
_DIGITS: Final = {digit: value for value, digit in enumerate(ALPHABET)}


def placed(stored: Storable) -> int:
    """The time a fact is placed by (ns): its own where that is usable, else when we took it."""
    return placed_at(stored.fact.at, stored.receipt.received)


def placed_at(at: int | None, received: int) -> int:
    """As ``placed``, of these two times."""
    return at if at is not None and usable(at) else received


def usable(at: int | None) -> bool:
    """Whether a fact can be placed by this time (ns): its year is 2000 to 2099."""
    return at is not None and FIRST_NS <= at < LAST_NS


def content_of(*parts: Any) -> bytes:
    """16 bytes that differ where the decoded values differ; int, float, str and bytes stay apart.

    A request hashes its resource and its scope once and passes those digests as parts.
    """
    return xxhash.xxh3_128_digest(_encode(parts))


def identify(workspace: str, identity: tuple[Any, ...], at: int | None) -> tuple[str, str, bytes]:
    """The fact id, the identity token and its 12 bytes of ``identity`` (its kind first) in a workspace.

    ``at`` is the fact's own time in ns; an unusable one gives the prefix of ms 0. The hash
    is cryptographic, so that nobody can craft the id of another workspace's fact.
    """
    digest = blake2b(_encode((workspace, identity)), digest_size=12).digest()
    text = to_text(_start(at) + digest)
    return text[:20], text[8:], digest  # three bytes are four characters, so both halves can be cut out


# What stands among the ids of a fact, in this order, if anything.
REGULAR, TRACE, PARENT = 1, 2, 4
_REGULAR, _TRACED, _CHILD = bytes((REGULAR,)), bytes((REGULAR | TRACE,)), bytes((REGULAR | TRACE | PARENT,))


def joined(content: bytes, identity: bytes, request: bytes, address: bytes) -> bytes:
    """The ids of a fact in one: what stands among them, then content hash (16 bytes), identity (12),
    request (8) and its address: nothing, or trace id and span id (24), or those and the parent's (32).

    Nothing where the request's id is none of ours or the address none of these.
    """
    size = len(address)
    head = _TRACED if size == 24 else _CHILD if size == 32 else _REGULAR if not size else b""
    return head + content + identity + request + address if head and request else b""


def from_hex(text: str, size: int) -> bytes | None:
    """The bytes that lower-case hexadecimal text stands for; ``None`` for any other text."""
    if len(text) != 2 * size:
        return None
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return None
    return raw if raw.hex() == text else None


def id_of(identity: str, at: int | None) -> str:
    """The fact id of an identity token at a time (ns)."""
    return to_text(_start(at)) + identity[:12]


def _start(at: int | None) -> bytes:
    """What an id starts with at a time (ns)."""
    ms = at // 1_000_000 if at is not None and FIRST_NS <= at < LAST_NS else 0
    return ms.to_bytes(6, "big")


_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")


def to_text(raw: bytes) -> str:
    """base64url of bytes, whose number is a multiple of three."""
    return b2a_base64(raw, newline=False).translate(_TO_URL).decode("ascii")


def from_text(token: str) -> bytes | None:
    """The 12 bytes of an identity token; ``None`` for any other text."""
    if len(token) != 16 or not token.isascii():
        return None
    try:
        raw = a2b_base64(token.encode("ascii").translate(_FROM_URL))
    except ValueError:
        return None
    return raw if len(raw) == 12 and to_text(raw) == token else None


def moment(fact_id: str) -> int:
    """The ms since 1970 that an id starts with; 0 for facts without a usable time."""
    return int.from_bytes(a2b_base64(fact_id[:8].encode("ascii").translate(_FROM_URL)), "big")


def variant_id(stored: Storable) -> str:
    """The id under which other content of a known identity is kept.

    It begins with the same time as the fact's id, and hashes identity and content, so
    that the same variant always gets the same id.
    """
    receipt = stored.receipt
    digest = blake2b(_encode((receipt.identity, receipt.content)), digest_size=9).digest()
    return receipt.id[:8] + to_text(digest)


def tie(*, sequence: str | None, at: int | None, observed: int | None, position: int, fact_id: str) -> int:
    """A number below 2**62 that orders facts of one nanosecond.

    By the producer's sequence (low 20 bits, where it is a number), then by how long after
    ``at`` it was observed (ms, at most 4,095), then by position in its request, then by id.
    """
    number = 0
    if sequence is not None and sequence.isascii() and sequence.isdigit():
        number = int(sequence[-18:]) & 0xFFFFF
    delay = 0
    if at is not None and observed is not None:
        delay = min(max((observed - at) // 1_000_000, 0), 0xFFF)
    low = _DIGITS[fact_id[18]] << 6 | _DIGITS[fact_id[19]]
    return (number << 42) | (delay << 30) | (min(position, MAX_POSITION) << 12) | low
