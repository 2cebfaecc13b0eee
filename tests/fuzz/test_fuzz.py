"""Hostile bytes at every parser: a short form with every run, the long one in ``make soak``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.mutate import mutants
from tests.fuzz.seeds import CORPUS, seeds
from tests.fuzz.targets import TARGETS
from tests.node.harness import ROOT

pytestmark = pytest.mark.django_db
SHORT = 400
LONG = int(os.environ.get("FUZZ_EXECUTIONS", "1000000")) // len(TARGETS) + 1


def run(target: str, count: int, seed: int) -> None:
    """Fails with the input, ready to be put into the corpus."""
    attack = TARGETS[target]
    for number, data in enumerate(mutants(seeds(target), count, seed)):
        try:
            attack(data)
        except Exception as error:  # noqa: BLE001 - any is a find
            kept = Path(os.environ.get("FUZZ_FOUND", CORPUS.parent / "found")) / target
            kept.mkdir(parents=True, exist_ok=True)
            file = kept / f"{type(error).__name__}-{seed}-{number}"
            file.write_bytes(data)
            pytest.fail(f"{target}: {type(error).__name__}: {error}; its input is {file} ({data[:200]!r})")


@pytest.mark.parametrize("target", TARGETS)
def test_no_bytes_get_past_a_parser_unjudged(target: str) -> None:
    run(target, SHORT, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("target", TARGETS)
def test_a_million_of_them(target: str) -> None:
    for part in range(8):
        run(target, LONG // 8 + 1, seed=100 + part)


@pytest.mark.soak
@pytest.mark.parametrize("target", [name for name in TARGETS if name != "http"])
def test_guided_by_coverage(target: str, tmp_path: Path) -> None:
    for number, data in enumerate(seeds(target)):
        (tmp_path / f"{number}").write_bytes(data)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.fuzz.guided",
            target,
            f"-artifact_prefix={tmp_path}/",
            "-runs=20000",
            str(tmp_path),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert 0 == done.returncode, done.stderr[-3000:]
