"""Nobody outlives the one that watches it, however early that one ended."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.node.harness import ROOT, until
from timeline.management.parent import die_with, spawner


def _late(folder: str) -> None:
    """A process whose parent is dead before it thinks of it."""
    (Path(folder) / "pid").write_text(str(os.getpid()))
    parent = multiprocessing.parent_process()
    while parent is not None and os.getppid() == parent.pid:
        time.sleep(0.01)
    die_with(spawner())
    (Path(folder) / "alive").touch()


def main(folder: str) -> None:
    """Start a process and die at once, as a server that is killed."""
    child = multiprocessing.get_context("spawn").Process(target=_late, args=(folder,))
    child.start()
    while not (Path(folder) / "pid").exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_whose_parent_died_first_ends_too(tmp_path: Path) -> None:
    command = [sys.executable, "-c", f"from {__name__} import main; main({str(tmp_path)!r})"]
    assert -signal.SIGKILL == subprocess.run(command, cwd=ROOT).returncode
    pid = int(until(lambda: (tmp_path / "pid").read_text(), what="the pid"))
    until(lambda: not psutil.pid_exists(pid), what="the end of the process")
    assert not (tmp_path / "alive").exists()
