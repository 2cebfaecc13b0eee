"""One receiver for a whole table: the cases do not touch each other."""

from __future__ import annotations

import pytest

from tests.receiving import Driven
from timeline.receive.access import Sender

KEY = "tl_ingest_known"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Driven:
    """A receiver on loopback that knows one key and one browser origin."""
    return Driven(
        tmp_path_factory.mktemp("table"),
        origins=["https://shop.example"],
        look=lambda secret: Sender(name="known") if secret == KEY else None,
    )
