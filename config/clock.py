"""Beat's scheduler, which waits for a broker that refuses it as it waits for one that is away."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from celery.beat import Scheduler

log = logging.getLogger("celery.beat")
_AGAIN: Final = 10.0  # s between tries


class Clock(Scheduler):  # type: ignore[misc]  # the library is not typed
    """Ticks as Celery's own; a login that is refused does not end the process."""

    def _ensure_connected(self) -> Any:
        while True:
            try:
                return super()._ensure_connected()
            except Exception as error:  # noqa: BLE001 - brokers refuse in every way
                log.warning("beat: Connection error: %s. Trying again in %s seconds...", error, _AGAIN)
                time.sleep(_AGAIN)
