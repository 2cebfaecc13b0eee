"""Handlers at work: whose message is in hand, so that whoever settles it can say so on its process span."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from opentelemetry import trace
from opentelemetry.context import Context, get_current
from opentelemetry.trace import Span

from tracing.integrations._loop import failure
from tracing.spans import Processing

P = TypeVar("P")


class Running(Generic[P]):
    """A handler and its open process span; from ``hold`` or ``with`` on it is in hand under its place.

    A place is what tells messages apart that are in hand together: a delivery tag, or a stream's entry.
    """

    __slots__ = ("_hands", "_place", "_processing")

    def __init__(self, hands: dict[P, Running[P]], processing: Processing, place: P) -> None:
        self._hands, self._processing, self._place = hands, processing, place

    def hold(self) -> Running[P]:
        """It is in hand from now on, until it ends."""
        self._hands[self._place] = self
        return self

    @property
    def span(self) -> Span:
        """The process span."""
        return self._processing.span

    @property
    def context(self) -> Context:
        """The message's context."""
        return self._processing.context

    def settled(self, name: str) -> bool:
        """As ``Processing.settled``."""
        return self._processing.settled(name)

    def end(self, error: object = None) -> None:
        """The handler is done; counts once."""
        self._drop()
        self._processing.end(error)

    def _drop(self) -> None:
        if self._hands.get(self._place) is self:
            del self._hands[self._place]

    def __enter__(self) -> Span:
        self.hold()
        return self._processing.__enter__()

    def __exit__(self, *failure: Any) -> None:
        self._drop()
        self._processing.__exit__(*failure)


class Within:
    """Inside a handler that is at work: gives its span, and tells it where the real work ended, and how."""

    def __init__(self, running: Running[Any]) -> None:
        self._running = running

    def __enter__(self) -> Span:
        return self._running.span

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        self._running.end(failure(error))


def told(hands: dict[P, Running[P]], place: P, name: str) -> bool:
    """Whether the message of this place is in hand just now, and its process span says that this call settled it."""
    running = hands.get(place)
    return running is not None and running.settled(name)


def nothing() -> Running[Any]:
    """What stands for a handler's span where none could be made."""
    return Running({}, Processing(trace.INVALID_SPAN, get_current()), 0)
