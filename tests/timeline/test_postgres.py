"""Everything that touches the relational database does so on PostgreSQL as well."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.postgres import Postgres

pytestmark = pytest.mark.server
ROOT = Path(__file__).resolve().parents[2]
TOUCHING = (
    *("test_records.py", "test_leases.py", "test_indexing.py", "test_operating.py", "test_keys.py"),
    *("receive", "web"),
)


def test_what_touches_the_database_passes_on_postgresql_too() -> None:
    with Postgres() as postgres:
        done = subprocess.run(
            [
                *(
                    sys.executable,
                    "-m",
                    "pytest",
                    "-q",
                    "-p",
                    "no:randomly",
                    "-m",
                    "not server and not pages",
                ),
                *(f"tests/timeline/{name}" for name in TOUCHING),
            ],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": postgres.url},
            capture_output=True,
            text=True,
        )
    assert 0 == done.returncode, done.stdout[-5000:]
    assert "passed" in done.stdout
