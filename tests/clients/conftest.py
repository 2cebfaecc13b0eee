"""One real receiver for all clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.receiving import Running


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A receiver on loopback, keyless; each test takes what it sent out of the inbox again."""
    receiver = Running(tmp_path_factory.mktemp("receiver"))
    yield receiver
    receiver.stop()
