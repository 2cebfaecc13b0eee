"""Celery's filesystem broker, for hints on one machine.

Kombu's reader can take a message file that its writer has created and not yet filled. Such a
message is dropped here: a hint carries nothing, and the sweeper finds what none announced.
"""

from __future__ import annotations

from queue import Empty
from typing import Any

from kombu.transport import filesystem


class Channel(filesystem.Channel):  # type: ignore[misc]
    """A channel that survives half-written messages."""

    def _get(self, queue: str) -> Any:
        try:
            return super()._get(queue)
        except ValueError as error:
            raise Empty from error


class Transport(filesystem.Transport):  # type: ignore[misc]
    """What ``filesystem://`` means here."""

    Channel = Channel
