"""The supervisor: one of each, restarted with patience, stopped together."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from timeline.management.supervise import Supervisor

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def _tend(supervisor: Supervisor, until: Callable[[], bool], seconds: float = 20) -> float:
    began = time.monotonic()
    while not until():
        assert time.monotonic() - began < seconds, "it did not come true"
        supervisor.tend()
        time.sleep(0.02)
    return time.monotonic() - began


def _children() -> list[psutil.Process]:
    found = psutil.Process().children()
    return [
        child
        for child in found
        if child.status() != psutil.STATUS_ZOMBIE and "time.sleep(60)" in " ".join(child.cmdline())
    ]


@pytest.fixture(autouse=True)
def _handlers() -> object:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_what_was_killed_starts_again_at_once_and_all_stop_together() -> None:
    supervisor = Supervisor({"one": SLEEP, "two": SLEEP})
    supervisor.start()
    try:
        for _ in range(5):
            _tend(supervisor, lambda: len(_children()) == 2)
            os.kill(_children()[0].pid, signal.SIGKILL)
            took = _tend(supervisor, lambda: len(_children()) == 2)
            assert took < 5
    finally:
        supervisor.stop()
    assert [] == _children()


def test_what_fails_by_itself_waits_longer_each_time(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    code = f"open({str(starts)!r}, 'a').write('x'); raise SystemExit(3)"
    supervisor = Supervisor({"bad": [sys.executable, "-c", code]})
    supervisor.start()
    try:
        took = _tend(supervisor, lambda: starts.exists() and len(starts.read_text()) == 4)
    finally:
        supervisor.stop()
    assert took > 0.1 + 0.2 + 0.4  # the least that three waits add up to


def test_a_signal_asks_for_an_orderly_stop() -> None:
    supervisor = Supervisor({"one": SLEEP})
    supervisor.start()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        assert supervisor.stopping
    finally:
        supervisor.stop()
    assert [] == _children()
