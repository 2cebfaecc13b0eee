"""The public names are typed: mypy reads how a service uses them, and finds the two mistakes in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
USE = Path(__file__).parent / "typing" / "public_api.py"


def test_a_service_that_is_checked_strictly_can_use_the_library() -> None:
    assert (ROOT / "tracing" / "py.typed").exists()
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", "--follow-imports=silent", USE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert 0 == done.returncode, done.stdout
