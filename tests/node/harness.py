"""A whole node on loopback: the real processes, started the way a person starts them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.ports import free_port
from tests.servers.process import end_with_parent
from timeline.search.times import format_ns

ROOT = Path(__file__).resolve().parents[2]
Found = TypeVar("Found")


def until(check: Callable[[], Found], *, seconds: float = 120, what: str = "the condition") -> Found:
    """The first true answer of ``check``; fails after ``seconds``, which a busy machine must not need."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not come true in {seconds} s; last answer {found!r}"
        time.sleep(0.05)


class RunningNode:
    """``manage.py run`` with its own ports and data folder."""

    def __init__(self, data: Path, **environ: str) -> None:
        self.data = data
        self.receiver_port, self.web_port = free_port(), free_port()
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("THROUGHLINE_", "DJANGO_"))
        }
        self.environ |= {
            "THROUGHLINE_DATA_DIR": str(data),
            "THROUGHLINE_RECEIVER_PORT": str(self.receiver_port),
            "THROUGHLINE_WEB_PORT": str(self.web_port),
            "THROUGHLINE_GRPC_PORT": "0",
            **environ,
        }
        self.receiver = f"http://127.0.0.1:{self.receiver_port}"
        self.web = f"http://127.0.0.1:{self.web_port}"
        self.log = data / "run.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._begin = 0  # of what this start logs
        self.link = ""
        self.token = ""

    def start(self) -> RunningNode:
        """Start and wait until everything is ready."""
        self.launch()
        return self.ready()

    def launch(self) -> None:
        """Start and do not wait; it ends with the thread that calls this, so that a run that is cut short
        leaves no node behind."""
        self.data.mkdir(parents=True, exist_ok=True)
        self._begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run", "--quiet"],
                cwd=ROOT,
                env=self.environ,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
            )

    def ready(self) -> RunningNode:
        """Wait for the sign-in link, which comes when everything is ready."""
        pattern = re.compile(r"^http://\S+/signin/\S+$", re.MULTILINE)

        def said() -> re.Match[str] | None:
            assert self.process is not None
            text = self.log.read_text()[self._begin :]
            assert self.process.poll() is None, f"the node ended:\n{text[-4000:]}"
            return pattern.search(text)

        self.link = until(said, what="the sign-in link").group()
        self.token = self.token or self.manage("token", "create", "--read").strip()
        return self

    def stop(self) -> None:
        """Ctrl-C, and wait for an orderly end."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(40)

    def manage(self, *words: str) -> str:
        """What a manage.py command prints."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def processes(self, role: str) -> list[psutil.Process]:
        """The running processes of one role: receiver, web, worker or beat."""
        marks = {
            "receiver": "config.receiver:application",
            "web": "config.wsgi:application",
            "worker": "worker",
            "beat": "beat",
        }
        assert self.process is not None
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if marks[role] in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                    found.append(child)
            except psutil.Error:
                continue
        return found

    def kill(self, role: str) -> None:
        """SIGKILL the first process of a role, as the kernel would when memory is short."""
        for process in self.processes(role)[:1]:
            process.kill()

    def get(self, path: str) -> Any:
        """The JSON answer of the API; told that something is not available now, it asks again for a while."""
        request = urllib.request.Request(self.web + path, headers={"Authorization": f"Bearer {self.token}"})
        said: list[str] = []

        def answer() -> Any:
            try:
                with urllib.request.urlopen(request, timeout=60) as found:
                    return [json.load(found)]
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                said[:] = [error.read().decode()[:600]]
                return None

        try:
            return until(answer, seconds=20, what=f"an answer to {path}")[0]
        except AssertionError as error:
            raise AssertionError(f"{error}: {said}") from error

    def post(self, path: str, body: Any) -> Any:
        """The JSON answer of the API to a JSON body."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.web + path, data=json.dumps(body).encode(), headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def send(self, path: str, body: bytes, content_type: str, **headers: str) -> int:
        """The receiver's status; 0 where it was away."""
        request = urllib.request.Request(
            self.receiver + path, data=body, headers={"Content-Type": content_type, **headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def drained(self, *, seconds: float = 120) -> None:
        """Wait until nothing waits in the inbox."""
        until(
            lambda: self.get("/api/v1/coverage?range=1h")["pending_requests"] == 0,
            seconds=seconds,
            what="an empty inbox",
        )

    def searchable(self, *, seconds: float = 120) -> None:
        """Wait until all that was sent before this call is found by every search."""
        asked = format_ns(time.time_ns())
        until(
            lambda: self.get("/api/v1/coverage?range=1h")["up_to"] >= asked,
            seconds=seconds,
            what="everything searchable",
        )
