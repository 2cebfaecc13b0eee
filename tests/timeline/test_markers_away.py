"""Where the database does not answer, a drawing goes without markers, and who asks for them is told so."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.db.models import QuerySet

from timeline import markers
from timeline.errors import QueueUnavailable
from timeline.web.contexts.histogram import marks


@pytest.fixture(autouse=True)
def _away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any) -> None:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(QuerySet, "_fetch_all", refuse)


def test_a_drawing_goes_without_them() -> None:
    assert [] == markers.drawn(1, 2)
    assert [] == marks(1, 2)


def test_who_asks_for_them_is_told() -> None:
    with pytest.raises(QueueUnavailable, match="did not answer"):
        markers.between(1, 2)
