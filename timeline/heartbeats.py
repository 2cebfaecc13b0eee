"""The row by which a process tells all nodes once a second that it lives, and what it holds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from django.db import Error, close_old_connections

from timeline.errors import ThroughlineError
from timeline.models import Node

log = logging.getLogger(__name__)


class Heartbeat(threading.Thread):
    """Writes one row a second; whatever is away is asked again, patiently.

    ``state`` answers with the columns that say what the process holds. It may raise
    ``ThroughlineError``: then nothing is written, and the row grows old until it can be.
    """

    def __init__(self, node: str, role: str, state: Callable[[], Mapping[str, Any]]) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._node = node
        self._role = role
        self._state = state
        self._started_at = time.time_ns()
        self._failing = False
        self._stop_asked = threading.Event()

    def stop(self) -> None:
        """Beat once more, then end."""
        self._stop_asked.set()
        self.join(5)

    def run(self) -> None:
        """Beat until asked to stop."""
        self._try()
        while not self._stop_asked.wait(1):
            self._try()
        self._try()

    def _try(self) -> None:
        try:
            self.beat()
            self._failing = False
        except (ThroughlineError, Error) as error:
            if not self._failing:
                log.warning("the heartbeat of the %s waits: %s", self._role, error)
            self._failing = True
            close_old_connections()
        except Exception:
            log.exception("the heartbeat of the %s met something unexpected and goes on", self._role)

    def beat(self) -> None:
        """Write what is held now."""
        now = time.time_ns()  # before it is asked: what comes later is not vouched for
        state = {"started": self._started_at, "beat": now, **self._state()}
        Node.objects.update_or_create(
            name=self._node,
            role=self._role,
            defaults=state,
            create_defaults={"since": self._started_at, **state},
        )
