"""Hints to the worker: at most ten a second, and never a reason to fail."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)
_PERIOD: Final = 0.1  # seconds between hints


class Hints(threading.Thread):
    """Calls ``send`` soon after ``wanted``; losing a hint loses nothing, the worker also looks by itself."""

    def __init__(self, send: Callable[[], None]) -> None:
        super().__init__(name="hints", daemon=True)
        self._send = send
        self._wanted = threading.Event()
        self._stop_asked = threading.Event()
        self.failed = 0

    def wanted(self) -> None:
        """Something was accepted."""
        self._wanted.set()

    def stop(self) -> None:
        """End after the hint in hand."""
        self._stop_asked.set()
        self._wanted.set()
        self.join(2)

    def run(self) -> None:
        """Send one hint for all that was wanted since the last."""
        while True:
            self._wanted.wait()
            if self._stop_asked.is_set():
                return
            self._wanted.clear()
            try:
                self._send()
            except Exception as error:  # noqa: BLE001 - brokers fail in every way; the inbox has the data
                self.failed += 1
                if self.failed == 1:
                    log.warning("the broker takes no hints, the worker finds the inbox by itself: %s", error)
            else:
                self.failed = 0
            self._stop_asked.wait(_PERIOD)
