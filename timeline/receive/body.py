"""Bodies read under a clock, a limit and a budget.

A body that ends before its ``Content-Length``, or a chunked one that breaks off, is an error
and never a shorter body.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import suppress
from typing import Final, Protocol

from timeline.receive.answers import Refused, unavailable

STALL: Final = 10.0  # seconds without a byte
WHOLE: Final = 60.0  # seconds for a whole body
_SMALL: Final = 256 << 10  # declared bytes up to which a body is read in one go
_LINGER: Final = 5.0  # seconds to read away what is refused, so that the sender sees its answer
_FAR: Final = 4  # bodies declared larger than so many limits are not even read away


class Exchange(Protocol):
    """Granian's RSGI exchange, as far as it is used here."""

    def __call__(self) -> Awaitable[bytes]:
        """The whole body; raises where the connection ends first."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body as it comes; an empty piece that is not the last one is a failed read."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the answer."""


class Bodies:
    """Reads bodies; belongs to one event loop."""

    def __init__(self, *, limit: int, stall: float = STALL, whole: float = WHOLE) -> None:
        self._limit = limit
        self._stall = stall
        self._whole = whole
        self._budget = 2 * limit
        self._held = 0

    async def read(self, exchange: Exchange, headers: Mapping[str, str]) -> bytes:
        """The whole body; the caller gives its length back with ``free``. Raises ``Refused``.

        Too large is 413. Too slow, or more at once than memory allows, is 503: both pass.
        """
        declared = _declared(headers)
        try:
            if declared is not None and declared <= _SMALL:
                async with asyncio.timeout(self._stall):
                    body = await exchange() if declared else b""
                self._held += len(body)
            elif declared is not None and declared > self._limit:
                await self.discard(exchange, headers)
                raise self._too_large()
            else:
                body = await self._pieces(exchange, headers)
        except TimeoutError as error:
            raise unavailable("the body came too slowly; send it again") from error
        except RuntimeError as error:  # granian's RSGIProtocolError: the connection broke
            raise _cut() from error
        if declared is not None and len(body) != declared:
            self.free(len(body))
            raise _cut()
        return body

    def free(self, size: int) -> None:
        """Let go of a body's bytes."""
        self._held -= size

    async def discard(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        """Read a body away: an answer sent over an unread one may be lost with its connection."""
        declared = _declared(headers)
        chunked = "transfer-encoding" in headers
        if not (declared or chunked) or "expect" in headers or (declared or 0) > _FAR * self._limit:
            return
        read = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                async for piece in exchange:
                    read += len(piece)
                    if read > _FAR * self._limit:
                        return

    async def _pieces(self, exchange: Exchange, headers: Mapping[str, str]) -> bytes:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._whole
        pieces: list[bytes] = []
        size = held = 0
        ended = broken = False
        try:
            async with asyncio.timeout(self._stall) as clock:
                async for piece in exchange:
                    broken, ended = ended, not piece
                    size += len(piece)
                    if size <= self._limit:
                        self._reserve(len(piece))
                        held += len(piece)
                        pieces.append(piece)
                    elif pieces:
                        pieces.clear()
                    elif size > _FAR * self._limit:
                        break
                    clock.reschedule(min(end, loop.time() + self._stall))
            if size > self._limit:
                raise self._too_large()
            if broken and "trailer" not in headers:
                raise _cut()
        except BaseException:
            self.free(held)
            raise
        return b"".join(pieces)

    def _reserve(self, size: int) -> None:
        if self._held + size > self._budget:
            raise unavailable("too many large bodies at once")
        self._held += size

    def _too_large(self) -> Refused:
        return Refused(
            413, f"the body is larger than {self._limit} bytes; send smaller batches", reason="too_large"
        )


def _declared(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length")
    if text is None:
        return None if "transfer-encoding" in headers else 0
    if not (text.isascii() and text.isdigit()) or len(text) > 20:
        raise Refused(400, "Content-Length is not a number of bytes")
    return int(text)


def _cut() -> Refused:
    return Refused(400, "the body ended before it was whole; nothing of it was kept")
