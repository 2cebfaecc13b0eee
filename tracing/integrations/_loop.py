"""The body of a loop over messages, which is their handler: it ends where the next one is asked for."""

from __future__ import annotations

import sys
from typing import Any, Protocol

from opentelemetry.context import Context, attach, get_current

from tracing import handover
from tracing.guard import guarded


class Handler(Protocol):
    """An open process span."""

    @property
    def context(self) -> Context:
        """The message's context."""

    def end(self, error: object = None) -> None:
        """Close it."""


class Loop:
    """At most one message at a time is in hand; its context is current from ``begin`` to ``finish``.

    A loop that is left and dropped ends what it holds, and so does the end of the process.
    """

    def __init__(self) -> None:
        self._open: tuple[Handler, Context] | None = None
        handover.track(self)

    def begin(self, processing: Handler) -> None:
        """This message is in hand now; what was current before comes back with ``finish``."""
        with guarded("process span"):
            self._open = processing, get_current()
            attach(processing.context)

    def finish(self, error: object = None) -> None:
        """The handler is done, with this error or with the one that is being handled right now."""
        found, self._open = self._open, None
        if found is None:
            return
        with guarded("process span"):
            processing, before = found
            # elsewhere, or something else became current meanwhile: then it is not ours to change
            if get_current() is processing.context:
                attach(before)
            seen = error if error is not None else sys.exc_info()[1]
            processing.end(None if isinstance(seen, StopIteration | StopAsyncIteration) else seen)

    def finish_all(self) -> None:
        """As ``finish``."""
        self.finish()

    def __del__(self) -> Any:
        self.finish()
