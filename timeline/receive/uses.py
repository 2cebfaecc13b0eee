"""When keys were last used, written down behind the senders' backs."""

from __future__ import annotations

import logging
import threading
from typing import Final

from django.db import Error, close_old_connections
from django.utils import timezone

from timeline.models import Token

log = logging.getLogger(__name__)
_PERIOD: Final = 5.0  # seconds between writes


class Uses(threading.Thread):
    """One statement every five seconds for all keys that were used since."""

    def __init__(self) -> None:
        super().__init__(name="uses of keys", daemon=True)
        self._lock = threading.Lock()
        self._keys: set[int] = set()
        self._stop_asked = threading.Event()

    def note(self, key: int) -> None:
        """A key was used now; 0 is none."""
        if key:
            with self._lock:
                self._keys.add(key)

    def stop(self) -> None:
        """Write what is left, then end."""
        self._stop_asked.set()
        self.join(5)

    def run(self) -> None:
        """Write until asked to stop."""
        while not self._stop_asked.wait(_PERIOD):
            self.write()
        self.write()

    def write(self) -> None:
        """Write what was noted; while the database is away it waits."""
        with self._lock:
            keys, self._keys = self._keys, set()
        if not keys:
            return
        try:
            Token.objects.filter(pk__in=keys).update(last_used=timezone.now())
        except Error as error:
            log.warning("the last use of %d keys waits for the database: %s", len(keys), error)
            close_old_connections()
            with self._lock:
                self._keys |= keys
