"""What an integration's adapter does for the kit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tracing.testing import Capture

Pairs = Sequence[tuple[str, Any]]


@dataclass(frozen=True)
class Taken:
    """One message as the application sees it; ``raw`` is the client's own."""

    body: bytes
    headers: Any
    raw: Any


class RefusedError(Exception):
    """What a handler raises to get its message again."""


Handler = Callable[[Taken], None]


class Transport(ABC):
    """One client library, traced in one style, on a real broker."""

    headers_repeat = True  # it can carry one name twice
    headers_null = True  # it can carry a name without a value
    headers_typed = False  # it carries integers as integers
    longest_header = 200 * 1024
    attempts_counted = True  # a handler that failed gets the message again with the next attempt

    def __init__(self, capture: Capture) -> None:
        self.capture = capture

    @abstractmethod
    def declare(self, destination: str) -> None:
        """Make the destination, where the broker wants that."""

    @abstractmethod
    def send(self, destination: str, *bodies: bytes, headers: Any = None) -> None:
        """Send through the traced client; back when the broker has all of them. ``headers`` as ``Taken`` gives."""

    @abstractmethod
    def put(self, destination: str, body: bytes, headers: Pairs) -> None:
        """Send through a client that nothing traces, with exactly these headers."""

    @abstractmethod
    def handle(
        self,
        destination: str,
        handler: Handler,
        *,
        count: int = 1,
        together: bool = False,
        group: str = "kit",
    ) -> None:
        """Take messages through the traced client until ``handler`` has returned ``count`` times.

        Each call is inside the process span of its message. A message whose handler raised ``RefusedError`` is
        handed to it again. ``together``: take them by the client's batch call, where it has one.
        """

    @abstractmethod
    def dead_letter(self, taken: Taken, destination: str, error: Exception) -> None:
        """Send a message that cannot be handled on to the dead letters; called inside its handler."""

    @abstractmethod
    def close(self) -> None:
        """Close the clients that ``handle`` and ``send`` have left open."""
