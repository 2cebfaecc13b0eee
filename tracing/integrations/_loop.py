"""The body of a loop over messages, which is their handler: it ends where the next one is asked for."""

from __future__ import annotations

import sys
from typing import Any, Protocol

from opentelemetry.context import Context, attach, get_current

from tracing import handover
from tracing.guard import guarded


def failure(error: BaseException | None) -> Exception | None:
    """The error as one that a span records: a cancelled task or an exit has cut its handler off.

    Leaving a generator, or the keyboard, says nothing of the handler: ``None``.
    """
    if isinstance(error, GeneratorExit | KeyboardInterrupt | StopIteration | StopAsyncIteration):
        return None
    if error is None or isinstance(error, Exception):
        return error
    made: Exception = type(type(error).__name__, (Exception,), {})(*error.args)
    return made


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
        self._around: BaseException | None = None  # what the caller dealt with before it got the message
        handover.track(self)

    def begin(self, processing: Handler) -> None:
        """This message is in hand now; what was current before comes back with ``finish``."""
        with guarded("process span"):
            handover.end_with_process()
            self._open, self._around = (processing, get_current()), sys.exc_info()[1]
            attach(processing.context)

    def finish(self, error: BaseException | None = None) -> None:
        """The handler is done, with this error or with the one the caller has been dealing with since it began."""
        with guarded("process span"):
            if (processing := self._leave()) is not None:
                seen = sys.exc_info()[1]
                processing.end(failure(error or (seen if seen is not self._around else None)))

    def forget(self) -> None:
        """What was current before is current again; the span never ends: somebody else tells of it."""
        with guarded("process span"):
            self._leave()

    def _leave(self) -> Handler | None:
        found, self._open = self._open, None
        if found is None:
            return None
        processing, before = found
        # elsewhere, or something else became current meanwhile: then it is not ours to change
        if get_current() is processing.context:
            attach(before)
        return processing

    def finish_all(self) -> None:
        """As ``finish``."""
        self.finish()

    def __del__(self) -> Any:
        self.finish()
