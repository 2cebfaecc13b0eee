"""A small supervisor: starts processes, restarts what dies, stops all together."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from functools import partial

from timeline.management.parent import die_with

log = logging.getLogger(__name__)
_FIRST, _LONGEST = 0.1, 10.0  # seconds between restarts
_STEADY = 3.0  # seconds after which a process counts as well again
_GRACE = 20.0  # seconds to finish after SIGTERM


@dataclass
class Child:
    """One process to keep running."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    wait: float = _FIRST
    due: float = field(default_factory=time.monotonic)


class Supervisor:
    """Keeps one of each alive until ``stop``; nothing it started outlives it."""

    def __init__(self, commands: dict[str, list[str]]) -> None:
        self._children = [Child(name, command) for name, command in commands.items()]
        self._stopping = False

    def start(self) -> None:
        """Start every process; SIGINT and SIGTERM then ask for an orderly stop."""
        signal.signal(signal.SIGINT, self._asked)
        signal.signal(signal.SIGTERM, self._asked)
        self.tend()

    def _asked(self, number: int, frame: object) -> None:
        self._stopping = True

    @property
    def stopping(self) -> bool:
        """Whether an orderly stop has been asked for."""
        return self._stopping

    def tend(self) -> None:
        """Start what is due and notice what died; called a few times a second."""
        for child in self._children:
            if child.process and (code := child.process.poll()) is not None:
                # SIGKILL comes from outside: what it hit did not fail, and need not wait
                steady = time.monotonic() - child.started > _STEADY or code == -signal.SIGKILL
                child.wait = _FIRST if steady else min(child.wait * 2, _LONGEST)
                child.due = time.monotonic() + child.wait
                child.process = None
                log.warning("%s ended (%s), starts again in %.1f s", child.name, code, child.wait)
            if child.process is None and time.monotonic() >= child.due and not self._stopping:
                child.started = time.monotonic()
                # a session of its own: Ctrl-C in the terminal reaches only the supervisor
                child.process = subprocess.Popen(  # noqa: S603 - our own command lines
                    child.command, preexec_fn=partial(die_with, os.getpid()), start_new_session=True
                )

    def stop(self) -> None:
        """SIGTERM to all, then wait; what does not finish in time is killed."""
        self._stopping = True
        running = [
            child.process for child in self._children if child.process and child.process.poll() is None
        ]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + _GRACE
        for process in running:
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
