"""The command line of each process of a node, in one place for supervisor and tests."""

from __future__ import annotations

import sys

from django.conf import settings


def commands() -> dict[str, list[str]]:
    """Process name to its command line, for the settings of this environment."""
    values = settings.THROUGHLINE
    # tasks carry no payload, so the warning about root and pickle does not apply
    python = [sys.executable, "-W", "ignore:You're running the worker", "-m"]
    celery = [*python, "celery", "-A", "config.celery", "--quiet"]
    return {
        "receiver": receiver(values["THROUGHLINE_RECEIVER_HOST"], values["THROUGHLINE_RECEIVER_PORT"]),
        "web": [
            *_granian("wsgi", values["THROUGHLINE_WEB_HOST"], values["THROUGHLINE_WEB_PORT"]),
            *("--blocking-threads", "4"),
            "config.wsgi:application",
        ],
        "worker": [
            *celery,
            "worker",
            *("--pool", "threads", "--concurrency", str(values["THROUGHLINE_WORKER_THREADS"])),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
        "beat": [*celery, "beat", *("--pidfile", "")],
    }


def near(host: str) -> str:
    """How this machine reaches an address it listens on."""
    if host in ("0.0.0.0", "::", "localhost"):  # noqa: S104 - every address, so loopback too
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def receiver(host: str, port: int) -> list[str]:
    """The receiver's command line.

    RSGI, because bodies must be read under a clock: granian's WSGI reads block for as long as a
    sender likes and one stalled body then holds up every other request. ``--backpressure`` bounds
    connections, idle ones included.
    """
    return [
        *_granian("rsgi", host, port),
        *("--backlog", "1024", "--backpressure", "4096"),
        *("--http1-header-read-timeout", "60000", "--workers-kill-timeout", "10"),
        "config.receiver:application",
    ]


def _granian(interface: str, host: str, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "granian", "--interface", interface, "--host", host, "--port", str(port)),
        *("--workers", "1", "--no-ws", "--http", "1", "--respawn-failed-workers", "--log-level", "warning"),
    ]
