"""Streamed responses: what makes their parts runs inside the request's context, and ends its span."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from opentelemetry.context import Context

from tracing import propagation


class Ending:
    """What is to happen when the last part is out; ``end`` counts once."""

    def __init__(self, context: Context, end: Callable[[BaseException | None], None]) -> None:
        self.context, self._end, self._done = context, end, False

    def end(self, error: BaseException | None = None) -> None:
        """The response is complete, or failed."""
        if not self._done:
            self._done = True
            self._end(error)


class _Parts:
    """The parts of a synchronous response."""

    def __init__(self, content: Any, ending: Ending) -> None:
        self._content, self._ending = content, ending

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            with propagation.attached(self._ending.context):
                return next(self._content)
        except StopIteration:
            self._ending.end()
            raise
        except BaseException as error:
            self._ending.end(error)
            raise

    def close(self) -> None:
        """Called by Django when the response is closed, complete or not."""
        self._ending.end()


class _LaterParts:
    """The parts of an asynchronous response."""

    def __init__(self, content: Any, ending: Ending) -> None:
        self._content, self._ending = content, ending

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            with propagation.attached(self._ending.context):
                return await anext(self._content)
        except StopAsyncIteration:
            self._ending.end()
            raise
        except BaseException as error:
            self._ending.end(error)
            raise

    def close(self) -> None:
        """Called by Django when the response is closed, complete or not."""
        self._ending.end()


def later(response: Any, ending: Ending) -> None:
    """Have the response end what is to end when its last part is out."""
    if response.is_async:
        response.streaming_content = _LaterParts(aiter(response.streaming_content), ending)
    else:
        response.streaming_content = _Parts(iter(response.streaming_content), ending)
