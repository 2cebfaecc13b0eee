"""Receivers for the tests beside this file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.receiving import Driven


@pytest.fixture
def driven(tmp_path: Path) -> Driven:
    """A receiver of its own, in this process, on loopback, without keys."""
    return Driven(tmp_path)
