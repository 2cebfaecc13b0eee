"""The senders page shows what a Kafka principal may do, as it was tried last."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.timeline.web.house import House
from timeline import wiring
from timeline.models import AccessCheck

pytestmark = pytest.mark.django_db


def test_the_last_check_stands_on_the_senders_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path)
    monkeypatch.setattr(wiring, "reading", lambda: house.desk)
    client = house.client
    assert "Access to Kafka" not in client.get("/senders").content.decode()
    AccessCheck.objects.create(
        at=1_790_000_000 * 10**9,
        brokers="kafka-1:9092",
        principal="User:tap",
        lines=[
            {"resource": "topic", "name": "<b>", "operation": "Read", "result": "refused", "detail": "no"},
            {"resource": "topic", "name": "orders", "operation": "Read", "result": "allowed", "detail": ""},
            {"resource": "topic", "name": "odds", "operation": "Read", "result": "unknown", "detail": ""},
        ],
        commands=["kafka-acls --add --topic '<b>'"],
    )
    page = client.get("/senders").content.decode()
    assert "User:tap" in page
    assert "<b>" not in page.partition('id="access"')[2].partition("</section>")[0]
    assert "kafka-acls --add --topic" in page
