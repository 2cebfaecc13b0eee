"""Celery's filesystem broker, for hints on one machine.

Kombu's reader can take a message file that its writer has created and not yet filled. Such a
message is dropped here: a hint carries nothing, and the sweeper finds what none announced.
"""

from __future__ import annotations

from queue import Empty
from typing import Any

from kombu.transport import filesystem


class Channel(filesystem.Channel):
    """A channel that survives half-written messages."""

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        try:
            return super()._get(queue)  # type: ignore[no-untyped-call]
        except ValueError as error:
            raise Empty from error


class Transport(filesystem.Transport):
    """What ``filesystem://`` means here."""

    Channel = Channel
