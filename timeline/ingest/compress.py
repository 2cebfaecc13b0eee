"""Content encodings: a body inflated piece by piece, never past its limit.

A stream that ends early is an error, never a shorter body (RFC 9110 section 8.4, RFC 1952,
RFC 1950, RFC 8878; window size by RFC 9659).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Final

import zstandard

from timeline.errors import MalformedPayload, TooLarge, UnsupportedPayload

LIMIT: Final = 64 * 1024 * 1024  # OTLP 1.11 default
_PIECE: Final = 256 * 1024
_INPUT: Final = 64 * 1024
_MEMBERS: Final = 10_000  # each costs a new decompressor, however short it is
_PADDING: Final = re.compile(rb"\0*")
_ZSTD_WINDOW: Final = 8 * 1024 * 1024
# One zstd block makes at most 128 KiB out of at least 4 bytes: 256 bytes make at most 8 MiB.
_ZSTD_INPUT: Final = 256
_REMEDY: Final = "send the body whole, in the encoding that Content-Encoding names"


def decompress(body: bytes, encoding: str, *, limit: int = LIMIT) -> bytes:
    """The plain body; ``encoding`` is "", identity, gzip, zstd or deflate, in any case.

    Raises ``TooLarge`` as soon as more than ``limit`` bytes came out, ``MalformedPayload``
    where the bytes are not what the encoding says or end too early, ``UnsupportedPayload``
    for any other encoding.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        _check(len(body), limit)
        return body
    if name in ("gzip", "x-gzip"):
        pieces = _inflate(body, 31, members=True)
    elif name == "deflate":
        pieces = _inflate(body, 15 if _has_zlib_header(body) else -15, members=False)
    elif name == "zstd":
        pieces = _unzstd(body, limit)
    else:
        raise UnsupportedPayload(
            f"content encoding {name[:40]!r} is not offered", remedy="use gzip, zstd, deflate or none at all"
        )
    out = bytearray()
    try:
        for piece in pieces:
            out += piece
            _check(len(out), limit)
    except (zlib.error, zstandard.ZstdError) as error:
        raise MalformedPayload(f"the body is not {name}: {error}", remedy=_REMEDY) from error
    return bytes(out)


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge(
            f"the body is larger than {limit} bytes once decompressed", remedy="send smaller batches"
        )


def _has_zlib_header(body: bytes) -> bool:
    """Some clients send bare deflate under that name, without the zlib frame."""
    return len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0


def _inflate(body: bytes, wbits: int, *, members: bool) -> Iterator[bytes]:
    view = memoryview(body)
    start = count = 0
    while True:
        inflater = zlib.decompressobj(wbits)
        while not inflater.eof:
            tail = inflater.unconsumed_tail or view[start : start + _INPUT]
            if not inflater.unconsumed_tail:
                start += len(tail)
            piece = inflater.decompress(tail, _PIECE)
            if not (len(tail) or piece):
                raise MalformedPayload("the compressed body ends too early", remedy=_REMEDY)
            yield piece
        start -= len(inflater.unused_data)
        count = _counted(count)
        padding = _PADDING.match(body, start)  # zeros between members are legal
        start = padding.end() if padding else start
        if start >= len(view):
            return
        if not members:
            raise MalformedPayload("bytes follow the compressed body", remedy=_REMEDY)


def _unzstd(body: bytes, limit: int) -> Iterator[bytes]:
    view = memoryview(body)
    start = count = 0
    if not body:
        raise MalformedPayload("the compressed body ends too early", remedy=_REMEDY)
    _check(zstandard.frame_content_size(body), limit)  # of the first frame, where it says so
    while start < len(view):
        inflater = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        while not inflater.eof:
            if start >= len(view):
                raise MalformedPayload("the compressed body ends too early", remedy=_REMEDY)
            yield inflater.decompress(view[start : start + _ZSTD_INPUT])
            start = min(start + _ZSTD_INPUT, len(view))
        start -= len(inflater.unused_data)
        count = _counted(count)


def _counted(count: int) -> int:
    if count >= _MEMBERS:
        raise TooLarge(f"the body is made of more than {_MEMBERS} compressed members", remedy=_REMEDY)
    return count + 1
