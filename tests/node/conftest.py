"""One running node for the tests that only look."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.node.harness import RunningNode


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A fresh node, stopped in the end."""
    running = RunningNode(tmp_path_factory.mktemp("node"))
    try:
        yield running.start()
    finally:
        running.stop()
