"""One server process of a test: started on loopback with a folder of its own, ended by its pid."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from tests.ports import free_port

_PARENT_DIED = 1  # PR_SET_PDEATHSIG
Kind = TypeVar("Kind", bound="Server")


def program(name: str, package: str, *elsewhere: str) -> str:
    """The path of a program; raises with the command that installs it."""
    found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], *elsewhere]))
    if found is None:
        raise RuntimeError(f"{name} is not installed: run `make clients`, or apt-get install {package}")
    return found


def end_with_parent() -> None:
    """For a child before it becomes another program: SIGTERM once the thread that made it is gone."""
    ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGTERM)


class Server:
    """Base of the servers: ``start`` returns when it answers, ``halt`` keeps its data, ``stop`` drops it."""

    name = ""
    as_nobody = False  # some refuse to run as root

    def __init__(self, *, port: int = 0) -> None:
        self.port = port or free_port()
        self._folder: Path | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self: Kind, *, seconds: float = 60) -> Kind:
        """Start and wait until it answers; raises ``RuntimeError`` with its log."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix=f"throughline-{self.name}-"))
            self.prepare(self._folder)
        self.process = self.spawn(self.command(self._folder), self.environ(self._folder))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.answers():
                return self
            time.sleep(0.05)
        said = self.log()[-2000:]
        self.stop()
        raise RuntimeError(f"{self.name} did not start on port {self.port}:\n{said}")

    def prepare(self, folder: Path) -> None:
        """Fill a fresh folder."""

    def command(self, folder: Path) -> Sequence[str]:
        """The command line that stays in the foreground."""
        raise RuntimeError(f"{self.name} says no command")

    def environ(self, folder: Path) -> Mapping[str, str]:
        """More environment for it."""
        return {}

    def answers(self) -> bool:
        """Whether it takes connections by now."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def spawn(
        self, command: Sequence[str], environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """A child that ends with this process, its output in the log."""
        assert self._folder is not None
        user = pwd.getpwnam("nobody") if self.as_nobody and os.getuid() == 0 else None
        if user is not None:
            for path in (self._folder, *self._folder.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)
        with (self._folder / "out.log").open("ab") as log:
            return subprocess.Popen(
                command,
                env={**os.environ, "HOME": str(self._folder), **(environ or {})},
                cwd=self._folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
                preexec_fn=end_with_parent,
            )

    def run(self, *command: str) -> None:
        """Run a helper of the server to its end."""
        assert self._folder is not None
        process = self.spawn(command, self.environ(self._folder))
        if process.wait(60):
            raise RuntimeError(f"{' '.join(command)} failed:\n{self.log()[-2000:]}")

    def log(self) -> str:
        """What it has written so far."""
        return (self._folder / "out.log").read_text(errors="replace") if self._folder else ""

    def halt(self, number: int = signal.SIGTERM) -> None:
        """Stop it and keep its data, for ``start`` to go on with."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop(self) -> None:
        """Stop it and drop its data."""
        self.halt()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self: Kind) -> Kind:
        return self.start()

    def __exit__(self, *failure: object) -> None:
        self.stop()
