"""Ports for the servers of a test."""

from __future__ import annotations

import secrets
import socket

# below the range from which the kernel gives ports to outgoing connections: none of them, of whatever test runs
# beside this one, takes the port of a server that is away for a while
FIRST, LAST = 10_000, 32_000


def free_port() -> int:
    """A port of loopback that nobody holds now; drawn apart from the seed, which all processes share."""
    while True:
        port = FIRST + secrets.randbelow(LAST - FIRST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
