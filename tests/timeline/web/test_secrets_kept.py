"""What people keep of their searches holds no secret that a rule knows."""

from __future__ import annotations

import pytest

from tests.timeline.web.house import House
from timeline import redactions
from timeline.models import RecentSearch, SavedSearch, Watch

pytestmark = pytest.mark.django_db


def test_what_a_rule_knows_as_a_secret_is_kept_as_its_hash(
    house: House, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(redactions._asking.cache_clear)
    redactions.make(by="detector", match="email", action="hash", who="mo")
    redactions._asking.cache_clear()
    asked = "ann@example.org"
    house.page(f"/search?q={asked}")
    house.post("/saved/add", q=asked, name="hers", query="")
    house.post("/watches/add", q=asked)

    kept = {RecentSearch.objects.get().text, SavedSearch.objects.get().text, Watch.objects.get().text}

    assert {redactions.unsaid(asked)} == kept - {asked}
    assert "ann" not in str(kept)
