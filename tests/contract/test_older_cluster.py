"""The whole kit once more on Elasticsearch 8.19, with the client of that version."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.elasticsearch import OLDER, Elasticsearch, cache_folder

ROOT = Path(__file__).resolve().parents[2]
CLIENT = "elasticsearch>=8.19,<9"


def _client() -> Path:
    """A folder with the older client, installed once."""
    folder = cache_folder() / "elasticsearch-client-8.19"
    if not (folder / "elasticsearch").is_dir():
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(folder), CLIENT]
        subprocess.run([*command, "--python", sys.executable], check=True, timeout=300)
    return folder


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_kit_passes_on_the_older_cluster_with_its_own_client() -> None:
    with Elasticsearch(OLDER) as node:
        environment = os.environ | {
            "PYTHONPATH": str(_client()),
            "TEST_ELASTICSEARCH": f"127.0.0.1:{node.port}",
        }
        loaded = subprocess.run(
            [sys.executable, "-c", "import elasticsearch; print(elasticsearch.__versionstr__)"],
            env=environment, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        assert loaded.stdout.startswith("8.19.")
        kit = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract"]
        done = subprocess.run(
            [*kit, "-m", "server and not slow"],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=1700,
        )  # fmt: skip
    assert 0 == done.returncode, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) > 250
