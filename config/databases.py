"""What ``DATABASE_URL`` means to Django: SQLite in the data folder, or PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


def database(url: str, folder: Path) -> dict[str, Any]:
    """One entry of ``DATABASES``; the URL was checked by ``config.env``, empty means SQLite in ``folder``."""
    if not url or url.startswith("sqlite:///"):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": url.removeprefix("sqlite:///") or str(folder / "throughline.sqlite3"),
            "CONN_MAX_AGE": 60,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname,
        "PORT": parts.port or 5432,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            # a server that is away or hangs is noticed: nobody waits for it longer than this
            "connect_timeout": 3,
            "tcp_user_timeout": 10_000,
            "options": "-c statement_timeout=60s -c lock_timeout=10s",
            **dict(parse_qsl(parts.query)),
        },
    }
