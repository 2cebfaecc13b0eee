"""The hand-over between receiving and normalising."""

from __future__ import annotations

import hashlib
from typing import Final, Literal

import msgspec

from timeline.storable import Storable

Signal = Literal["traces", "zipkin", "logs", "events", "rows", "records"]
OURS: Final[tuple[Signal, ...]] = ("rows", "records")  # read by an import or the tap, and judged there
SPANS: Final[tuple[Signal, ...]] = ("traces", "zipkin")  # whose items are spans


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it was received and committed to the inbox.

    ``body`` is as it came (still compressed by ``content_encoding``: "", "gzip",
    "zstd" or "deflate"); ``headers`` holds only what decoding needs, lower-case:
    ``content-type`` and, for binary CloudEvents, every ``ce-`` header.
    """

    id: str
    signal: Signal
    content_encoding: str
    headers: dict[str, str]
    body: bytes
    received: int  # ns
    workspace: str = "main"
    sender: str = ""  # name of the ingest key; empty for keyless loopback
    digest: bytes = b""  # of the raw body
    items: int = 0
    retried: bool = False  # the same body was accepted in the last 7 days
    environment: str = ""  # the only one this sender may write into; empty for any


class BadItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item that cannot become a fact: where it stood, its bytes, and why."""

    position: int
    reason: str  # a short stable slug: "bad_trace_id", "too_deep", ...
    message: str  # a sentence for people, with the remedy
    data: bytes


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What the receiver learns before it accepts: how many items, which are refused."""

    items: int  # all items in the request, the refused ones included
    refused: tuple[BadItem, ...] = ()


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """What the drain gets from one accepted request.

    Items that ``inspect`` refused are in neither list: their sender was told. ``poison`` goes
    to quarantine.
    """

    facts: list[Storable]
    poison: list[BadItem]


def digest_of(accepted: Accepted) -> bytes:
    """What tells a request that is sent again: equal bytes under another tenant, signal or set of headers are
    another request."""
    digest = hashlib.sha256(accepted.body)
    digest.update(repr((accepted.signal, accepted.workspace, sorted(accepted.headers.items()))).encode())
    return digest.digest()


def intact(accepted: Accepted) -> bool:
    """Whether body and headers are what was accepted; imports had a digest of their own once."""
    if len(accepted.digest) != hashlib.sha256().digest_size or accepted.digest == digest_of(accepted):
        return True
    return accepted.digest == hashlib.sha256(accepted.signal.encode() + accepted.body).digest()
