"""Receivers for tests: a real one under granian, and one driven in this process."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.ports import free_port
from timeline.inbox.inbox import Inbox, Tally
from timeline.ingest.markers import Mark
from timeline.ingest.markers import read as read_markers
from timeline.ingest.request import Accepted
from timeline.receive.access import Gate, Keys, Sender
from timeline.receive.pressure import Pressure
from timeline.receive.quota import Quotas
from timeline.receive.receiver import Limits, Receiver
from timeline.receive.server import Application
from timeline.redactions import Redactions
from timeline.store.ready import plain

ROOT = Path(__file__).resolve().parent.parent
_DATABASE = "throughline.sqlite3"
_MIGRATE = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
"""
_RUN = """
import os, django
django.setup()
from timeline.management.commands_of import commands
command = commands()["receiver"]
os.execv(command[0], command)
"""


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    """What ``condition`` returns once it is true; fails with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)
    return found


@cache
def _migrated() -> Path:
    """An empty database with every table, made once."""
    folder = Path(tempfile.mkdtemp(prefix="throughline-migrated-"))
    environment = os.environ | {
        "THROUGHLINE_DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    subprocess.run([sys.executable, "-c", _MIGRATE], cwd=ROOT, env=environment, check=True)
    with sqlite3.connect(folder / _DATABASE) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder / _DATABASE


class Running:
    """A real receiver: granian with the command line that the supervisor uses."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port, self.grpc_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "receiver.log"
        self._settings = settings
        if not (folder / _DATABASE).exists():
            shutil.copy(_migrated(), folder / _DATABASE)
        self.start()

    def start(self) -> None:
        """Start and wait until it is ready."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")
        }
        environment |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "THROUGHLINE_DATA_DIR": str(self.folder),
            "THROUGHLINE_RECEIVER_PORT": str(self.port),
            "THROUGHLINE_GRPC_PORT": str(self.grpc_port),
            "THROUGHLINE_NODE": "tested",
            **self._settings,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _RUN], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        wait_for(self._ready, f"a receiver; its log: {self.log}")

    def stop(self) -> None:
        """Stop as the supervisor does."""
        self.process.terminate()
        self.process.wait(20)

    def accepted(self, count: int = 1) -> list[Accepted]:
        """Takes what is in the inbox out of it, once that is ``count`` requests, oldest first."""
        inbox = self.inbox()
        wait_for(lambda: inbox.backlog().requests >= count, f"{count} accepted requests")
        lease, claimed = inbox.claim(items=1 << 30, size=1 << 30)
        inbox.release(lease, {one.request.id: [] for one in claimed})
        return [one.request for one in claimed]

    def inbox(self) -> Inbox:
        """The receiver's inbox, seen from this process."""
        return Inbox(self.folder / "inbox.sqlite3")

    def tally(self) -> dict[tuple[str, str], int]:
        """Items by what became of them and why."""
        return {(line.what, line.reason): line.items for line in self.inbox().snapshot()[1]}

    def worker(self) -> int:
        """The process that serves: granian's only child."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return max(int(child) for child in children)

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


class HeaderMap:
    """Headers as granian's RSGI gives them: lower-case names, values only where they are ASCII."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = [(name.lower(), value) for name, value in pairs]

    def items(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in self._pairs if value.isascii()]

    def __iter__(self) -> Any:
        return iter(dict(self._pairs))

    def __len__(self) -> int:
        return len(dict(self._pairs))


class Connection:
    """One RSGI exchange: gives a body in pieces and keeps the answer."""

    def __init__(self, pieces: Iterable[bytes], *, broken: bool = False, stalls: bool = False) -> None:
        self._pieces = list(pieces)
        self._broken = broken
        self._stalls = stalls
        self.answer: tuple[int, dict[str, str], bytes] | None = None

    async def __call__(self) -> bytes:
        if self._stalls:
            await asyncio.Event().wait()
        if self._broken:
            raise RuntimeError("the connection broke")
        return b"".join(self._pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self._stalls:
            await asyncio.Event().wait()
        if self._broken:
            yield b""
        yield b""

    def response_bytes(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.answer = (status, dict(headers), body)


class Driven:
    """A receiver in this process, its answers as (status, headers, body)."""

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        origins: Iterable[str] = (),
        look: Callable[[str], Sender | None] = lambda secret: None,
        body: int = 1 << 20,
        items: int = 1000,
        most: int = 1 << 30,
        quotas: Quotas | None = None,
        redactions: Redactions | None = None,
        stall: float = 0.2,
        whole: float = 0.5,
    ) -> None:
        self.inbox = Inbox(folder / "inbox.sqlite3")
        self.hints: list[None] = []
        self.marks: list[tuple[str, Mark]] = []  # workspace, marker
        self.receiver = Receiver(
            inbox=self.inbox,
            pressure=Pressure(self.inbox, folder, most=most),
            keys=Keys(look),
            gate=Gate(host=host, origins=list(origins)),
            limits=Limits(body=body, items=items),
            node="driven",
            hint=lambda: self.hints.append(None),
            mark=self._mark,
            quotas=quotas,
            plain=plain,
            redactions=redactions,
        )
        self.application = Application(self.receiver, threads=2, stall=stall, whole=whole)

    def _mark(self, body: bytes, sender: Sender) -> int:
        found = read_markers(body, time.time_ns())
        self.marks += [(sender.workspace, mark) for mark in found]
        return len(found)

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | list[tuple[str, str]] | None = None,
        body: bytes = b"",
        *,
        chunked: bool = False,
        peer: str = "127.0.0.1:40000",
        length: int | None = None,
        **connection: bool,
    ) -> tuple[int, dict[str, str], bytes]:
        """One request, whole; ``length`` overrides the declared Content-Length."""
        pairs = list(headers.items() if isinstance(headers, dict) else headers or [])
        if chunked:
            pairs.append(("transfer-encoding", "chunked"))
        elif body or length is not None:
            pairs.append(("content-length", str(len(body) if length is None else length)))
        pieces = [body[start : start + 65536] for start in range(0, len(body), 65536)]
        exchange = Connection(pieces, **connection)
        scope = SimpleNamespace(method=method, path=path, client=peer, headers=HeaderMap(pairs))
        asyncio.run(self.application.__rsgi__(scope, exchange))
        assert exchange.answer is not None
        return exchange.answer

    def accepted(self) -> list[Accepted]:
        """What is in the inbox."""
        return [claimed.request for claimed in self.inbox.claim(items=1 << 30, size=1 << 30)[1]]

    def tally(self) -> dict[tuple[str, str], int]:
        """Items by what became of them and why, those still in memory included."""
        self.receiver.refusals.flush()
        lines: list[Tally] = self.inbox.snapshot()[1]
        return {(line.what, line.reason): line.items for line in lines}
