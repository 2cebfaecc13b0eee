"""The Python that has OpenTelemetry's own instrumentations: a virtual environment made once from ``stock.txt``."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from tests.servers.elasticsearch import cache_folder

LIST = Path(__file__).parent / "stock.txt"


def stock_python() -> Path:
    """Its interpreter; installed where it is not there yet."""
    home = cache_folder() / f"stock-{hashlib.sha256(LIST.read_bytes()).hexdigest()[:16]}"
    done = home / "installed"
    if not done.exists():
        uv = Path(sys.executable).with_name("uv")
        for command in (
            [uv, "venv", "-q", "--clear", "--python", sys.executable, home],
            [uv, "pip", "install", "-q", "--python", home / "bin/python", "--require-hashes", "-r", LIST],
        ):
            run = subprocess.run(command, capture_output=True, text=True, timeout=900)
            if run.returncode:
                raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{run.stderr[-2000:]}")
        done.touch()
    return home / "bin/python"
