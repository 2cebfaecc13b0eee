"""``manage.py run``: every process of a node under one supervisor."""

from __future__ import annotations

import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from timeline import keys
from timeline.management.commands_of import commands, near
from timeline.management.supervise import Supervisor

_MIGRATING = 4318  # the number of our lock
_PATIENCE = 90.0  # seconds until a start that never gets ready is called failed


class Command(BaseCommand):
    """Starts receiver, web, worker and beat; restarts what dies; Ctrl-C stops them cleanly."""

    help = "Start receiver, web, worker and beat under a supervisor and print a sign-in link."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """For scripts that wait on the link, and for systemd and containers."""
        parser.add_argument("--quiet", action="store_true", help="print only the sign-in link")
        parser.add_argument(
            "--service",
            action="store_true",
            help="print no sign-in link, and keep receiving while the store is away",
        )

    def handle(self, *args: Any, quiet: bool, service: bool, **options: Any) -> None:
        """Migrate, start, wait until ready, print the link, and tend until asked to stop."""
        began = time.monotonic()
        with _one_node_at_a_time():
            call_command("migrate", verbosity=0, interactive=False)
        values = settings.THROUGHLINE
        receiver = f"http://{near(values['THROUGHLINE_RECEIVER_HOST'])}:{values['THROUGHLINE_RECEIVER_PORT']}"
        web = f"http://{near(values['THROUGHLINE_WEB_HOST'])}:{values['THROUGHLINE_WEB_PORT']}"
        _refuse_taken(receiver, "THROUGHLINE_RECEIVER_PORT")
        _refuse_taken(web, "THROUGHLINE_WEB_PORT")
        if values["THROUGHLINE_GRPC_PORT"]:
            _refuse_held(near(values["THROUGHLINE_RECEIVER_HOST"]), values["THROUGHLINE_GRPC_PORT"])
        _forget_figures()
        supervisor = Supervisor(commands())
        supervisor.start()
        try:
            # what is received is safe without a store, so a service does not wait for the dashboard
            waiting = [f"{receiver}/readyz"] if service else [f"{receiver}/readyz", f"{web}/readyz"]
            while waiting and not supervisor.stopping:
                waiting = [url for url in waiting if not _answers(url)]
                supervisor.tend()
                if time.monotonic() - began > _PATIENCE:
                    raise CommandError(
                        f"not ready after {_PATIENCE:.0f} s: {', '.join(waiting)}; see the log lines above"
                    )
                time.sleep(0.05)
            if service:
                self.stdout.write(f"receiving after {time.monotonic() - began:.1f} s at {receiver}")
                self.stdout.flush()
            elif not supervisor.stopping:
                self._greet(receiver, web, time.monotonic() - began, quiet=quiet)
            while not supervisor.stopping:
                supervisor.tend()
                time.sleep(0.2)
        finally:
            supervisor.stop()
        if not quiet:
            self.stdout.write("Stopped. What was accepted is on disk and goes on at the next start.")

    def _greet(self, receiver: str, web: str, took: float, *, quiet: bool) -> None:
        link = web + keys.create_link(keys.first_user())
        if quiet:
            self.stdout.write(link)
        else:
            self.stdout.write(
                f"Ready in {took:.1f} s. Send OpenTelemetry to {receiver}, then open (once, within 30 min):\n\n  {link}\n"
            )
        self.stdout.flush()
        sys.stdout.flush()


def _forget_figures() -> None:
    """Counters begin anew with the node: what processes of an earlier start wrote would be counted on."""
    for file in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob("*.db"):
        file.unlink(missing_ok=True)


@contextmanager
def _one_node_at_a_time() -> Iterator[None]:
    """Nodes that start together on one empty PostgreSQL would make the same tables."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATING])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATING])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own loopback address
            return True
    except (urllib.error.URLError, OSError):
        return False


def _refuse_taken(url: str, setting: str) -> None:
    """Two servers can share a port without an error, so ask before starting."""
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2):  # noqa: S310 - our own loopback address
            pass
    except urllib.error.HTTPError:
        pass
    except (urllib.error.URLError, OSError):
        return
    raise CommandError(f"something already answers at {url}; stop it, or choose another port with {setting}")


def _refuse_held(host: str, port: int) -> None:
    """The same for a port that does not speak HTTP."""
    try:
        with socket.create_connection((host.strip("[]"), port), timeout=2):
            pass
    except OSError:
        return
    raise CommandError(
        f"something already listens on {host}:{port}; stop it, or choose another port with THROUGHLINE_GRPC_PORT (0: none)"
    )
