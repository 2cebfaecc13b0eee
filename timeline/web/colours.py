"""Which of the 20 service colours a service gets on a page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

HUES = 20
_SALT = b"622213"  # gives the five services of the match-day example five far colours


def assign(services: Iterable[str]) -> dict[str, int]:
    """A colour number for every service, the same for every reader of the same services.

    A stable hash names the wanted colour. Where two want one, the later by name takes the
    next that is free; beyond 20 services colours repeat.
    """
    taken: dict[str, int] = {}
    used: set[int] = set()
    for service in sorted(set(services)):
        wanted = (
            hashlib.blake2b(service.encode(errors="surrogatepass"), digest_size=4, salt=_SALT).digest()[0]
            % HUES
        )
        free = (number % HUES for number in range(wanted, wanted + HUES) if number % HUES not in used)
        taken[service] = next(free, wanted)
        used.add(taken[service])
    return taken
