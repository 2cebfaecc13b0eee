"""``make demo``: a node, a match day sent into it, and five services that go on.

Keeps its own data folder (``var/demo``), so that what is made up never mixes with what is real. Ctrl-C
stops everything; the next start finds the history where it was.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

from examples.matchday import story

_PATIENCE = 60.0  # seconds to wait for the history to be searchable


def main() -> int:
    """Exit code: 0 when stopped, 1 when the node or the history did not come up."""
    data = Path(os.environ.setdefault("THROUGHLINE_DATA_DIR", "var/demo"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    running: list[subprocess.Popen[str]] = []
    stopped = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    node = _python("manage.py", "run", stdout=subprocess.PIPE)
    running.append(node)
    try:
        receiver = f"http://127.0.0.1:{os.environ.get('THROUGHLINE_RECEIVER_PORT', '4318')}"
        if not _greeted(node):
            return 0 if stopped else 1
        if (data / "seeded").exists():
            seeded = json.loads((data / "seeded").read_text())
            _declare(
                seeded["end"], "now", "the demo's services run only with it, and send all before it stops"
            )
        elif not _seed(data, receiver):
            return 1
        _say(os.environ.get("THROUGHLINE_WEB_PORT", "8700"))
        running.append(_python("-m", "examples.matchday", "--live-only", "--endpoint", receiver))
        while not stopped and all(process.poll() is None for process in running):
            time.sleep(0.2)
        return 0 if stopped else 1
    finally:
        for process in reversed(running):  # the services first, so that they can send what they still hold
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(60)


def _python(*words: str, stdout: int | None = None) -> subprocess.Popen[str]:
    # a session of its own, so that Ctrl-C reaches this process alone and the order of stopping is ours
    command = [sys.executable, *words]
    return subprocess.Popen(command, start_new_session=True, stdout=stdout, text=True)  # noqa: S603 - our own commands


def _greeted(node: subprocess.Popen[str]) -> bool:
    """Pass the node's words on; true once it has printed its sign-in link, false if it ends before."""
    greeted = threading.Event()

    def pass_on() -> None:
        for line in node.stdout or ():
            print(line, end="", flush=True)
            if "/signin/" in line:
                greeted.set()

    reader = threading.Thread(target=pass_on, daemon=True)
    reader.start()
    while reader.is_alive() and not greeted.wait(0.1):
        continue
    return greeted.is_set()


def _seed(data: Path, receiver: str) -> bool:
    """Send the history in by the front door and declare it complete."""
    print("Sending the history of a match day ...", flush=True)
    command = [sys.executable, "-m", "examples.matchday", "--history-only", "--endpoint", receiver]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return False
    seeded = json.loads(done.stdout.splitlines()[-1])["seeded"]
    _declare(seeded["start"], seeded["end"], "the demo's history was written by the demo itself, whole")
    _drained(data)
    (data / "seeded").write_text(json.dumps(seeded))
    return True


def _drained(data: Path) -> None:
    """Wait until the history is searchable, so that what is printed next is true."""
    inbox = sqlite3.connect(f"file:{data / 'inbox.sqlite3'}?mode=ro", uri=True)
    deadline = time.monotonic() + _PATIENCE
    while inbox.execute("SELECT count(*) FROM requests").fetchone()[0] and time.monotonic() < deadline:
        time.sleep(0.1)
    inbox.close()


def _declare(start: str, end: str, note: str) -> None:
    words = ["declare", start, end, "--by", "match day", "--note", note]
    subprocess.run([sys.executable, "manage.py", *words], check=True)  # noqa: S603 - our own command


def _say(port: str) -> None:
    print(f"\nMatch day is in. With the link above open, try in the box at http://127.0.0.1:{port}:\n")
    for question, why in story.QUESTIONS:
        print(f"  {question:<44} {why}")
    print("\nCtrl-C stops it.\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
