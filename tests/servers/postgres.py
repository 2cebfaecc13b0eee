"""A real PostgreSQL for tests."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import psycopg

from tests.servers.process import Server, program

_ELSEWHERE = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]


class Postgres(Server):
    """One database server with an empty database; ``url`` is a ``DATABASE_URL``."""

    name = "postgres"
    as_nobody = True

    @property
    def url(self) -> str:
        """Where its database is."""
        return f"postgres://throughline:s%40cret@127.0.0.1:{self.port}/throughline"

    def prepare(self, folder: Path) -> None:
        """Make the cluster."""
        password = folder / "password"
        password.write_text("s@cret\n")
        initdb = program("initdb", "postgresql", *_ELSEWHERE)
        self.run(
            *(initdb, "-D", str(folder / "data"), "-U", "throughline", "-E", "UTF8", "--locale=C.UTF-8"),
            *("--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"),
        )

    def command(self, folder: Path) -> Sequence[str]:
        """``postgres`` in the foreground."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": folder,
            "max_connections": 200,
        }
        postgres = program("postgres", "postgresql", *_ELSEWHERE)
        return [
            postgres,
            "-D",
            str(folder / "data"),
            *(f"--{name}={value}" for name, value in options.items()),
        ]

    def answers(self) -> bool:
        """Whether it takes a query; the database is made on the way."""
        try:
            with psycopg.connect(
                self.url.rpartition("/")[0] + "/postgres",
                autocommit=True,
                connect_timeout=2,
            ) as connection:
                known = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'throughline'")
                if known.fetchone() is None:
                    connection.execute("CREATE DATABASE throughline")
        except psycopg.Error:
            return False
        return True

    def halt(self, number: int = signal.SIGINT) -> None:
        """A fast shutdown: open connections are ended."""
        super().halt(number)
