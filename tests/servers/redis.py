"""A real Redis for tests."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import redis

from tests.servers.process import Server, program


class Redis(Server):
    """One Redis with a password; ``url`` is a ``THROUGHLINE_BROKER_URL``."""

    name = "redis"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://:s%40cret@127.0.0.1:{self.port}/0"

    def command(self, folder: Path) -> Sequence[str]:
        """``redis-server`` in the foreground, nothing saved."""
        return [
            *(program("redis-server", "redis-server"), "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--dir", str(folder), "--save", "", "--appendonly", "no", "--requirepass", "s@cret"),
        ]

    def full(self, yes: bool) -> None:
        """Let it refuse, or take again, whatever needs memory."""
        with closing(redis.Redis.from_url(self.url)) as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "1" if yes else "0")
