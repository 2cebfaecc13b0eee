"""The command line of each process of a node, in one place for supervisor and tests."""

from __future__ import annotations

import sys

from django.conf import settings


def commands() -> dict[str, list[str]]:
    """Process name to its command line, for the settings of this environment."""
    values = settings.THROUGHLINE
    python = [sys.executable, "-m"]
    celery = [*python, "celery", "-A", "config.celery", "--quiet"]
    level = ["--loglevel", values["THROUGHLINE_LOG_LEVEL"]]
    return {
        "receiver": [
            *_granian(values["THROUGHLINE_RECEIVER_HOST"], values["THROUGHLINE_RECEIVER_PORT"]),
            *("--blocking-threads", str(values["THROUGHLINE_RECEIVER_THREADS"])),
            "config.receiver:application",
        ],
        "web": [
            *_granian(values["THROUGHLINE_WEB_HOST"], values["THROUGHLINE_WEB_PORT"]),
            *("--blocking-threads", "8"),
            "config.wsgi:application",
        ],
        "worker": [
            *celery,
            "worker",
            *("--pool", "threads", "--concurrency", str(values["THROUGHLINE_WORKER_THREADS"])),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            *level,
        ],
        "beat": [*celery, "beat", *("--pidfile", ""), *level],
    }


def _granian(host: str, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port)),
        *("--workers", "1", "--no-ws", "--http", "1", "--respawn-failed-workers", "--log-level", "warning"),
    ]
