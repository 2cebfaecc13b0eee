"""One line a minute about a broker that cannot be reached, instead of one for every try.

Celery tries for ever, a refused login twice a second, and tells of each try.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

PERIOD: Final = 60.0  # s
_ABOUT: Final = (
    "consumer: Cannot connect",
    "Frequent restarts detected",  # what comes of it
    "beat: Connection error",
)
_PERHAPS: Final = (
    "beat raised exception",  # said of any error that ends beat
    "Message Error",  # and of any for which a tick was not sent
)
_CLIENTS: Final = {"kombu", "amqp", "redis"}
_LOGIN: Final = ("ACCESS_REFUSED", "NOT_ALLOWED", "WRONGPASS", "NOAUTH", "invalid username-password")


class SaidOnce(logging.Filter):
    """Lets one record about the broker pass each minute, as one line with its remedy."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written."""
        text = record.getMessage().strip()
        error = record.exc_info[1] if record.exc_info else None
        if not text.startswith(_ABOUT) and not (text.startswith(_PERHAPS) and _of_broker(error)):
            return True
        now = self._clock()
        if now - self._said.get(record.name, -PERIOD) < PERIOD:
            return False
        self._said[record.name] = now
        told = text.splitlines()[0] + (f": {error}" if error and str(error) not in text else "")
        if any(mark in told for mark in _LOGIN):
            remedy = "set the user, password and vhost of THROUGHLINE_BROKER_URL"
        else:
            remedy = "check that the broker of THROUGHLINE_BROKER_URL runs and can be reached"
        record.msg, record.args, record.exc_info = f"{told} -- nothing is lost; {remedy}", (), None
        return True


def _of_broker(error: BaseException | None) -> bool:
    """Whether a broker's client raised it, or a socket; an error about a file names the file. Celery raises
    one of its own for a tick that could not be sent."""
    if isinstance(error, OSError):
        return error.filename is None
    if error is not None and type(error).__module__ == "celery.beat":
        return _of_broker(error.__context__)
    return any(kind.__module__.partition(".")[0] in _CLIENTS for kind in type(error).__mro__)
