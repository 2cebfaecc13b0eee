"""Recent searches of a person, saved ones of a team, markers of a workspace."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User

from timeline import markers, searches
from timeline.errors import BadQuery
from timeline.ingest.markers import Mark, read
from timeline.models import RecentSearch, SavedSearch
from timeline.searches import Kept

pytestmark = pytest.mark.django_db
NOW = 1_790_000_000 * 10**9
HOUR = 3600 * 10**9


@pytest.fixture
def user() -> User:
    return User.objects.create(username="reader")


def test_recent_searches_are_listed_once_each_newest_first_and_bounded(user: User) -> None:
    for number in range(searches.RECENT + 5):
        searches.remember(user.pk, f"bet:{number}", "")
    searches.remember(user.pk, "bet:10", "range=7d")
    listed = searches.recent(user.pk)
    assert searches.RECENT == len(listed) == RecentSearch.objects.count()
    assert ("bet:10", "range=7d") == listed[0][1:3]
    assert ["bet:24", "bet:23"] == [kept.text for kept in listed[1:3]]
    searches.remember(user.pk, "", "")
    searches.remember(user.pk, "x" * (searches.LONGEST_TEXT + 1), "")
    assert listed == searches.recent(user.pk)
    searches.forget_recent(user.pk)
    assert [] == searches.recent(user.pk)


def test_one_persons_searches_are_not_anothers(user: User) -> None:
    searches.remember(user.pk, "bet:1", "")
    assert [] == searches.recent(User.objects.create(username="other").pk)


def test_a_saved_search_is_for_all_and_its_name_belongs_to_who_saved_it() -> None:
    first = searches.save(Kept(id=0, text="bet:1", query="range=7d", name="  Payouts   over 60 s ", by="ada"))
    assert "Payouts over 60 s" == first.name
    again = searches.save(first._replace(text="bet:2"))
    assert [("bet:2", again.id)] == [(kept.text, kept.id) for kept in searches.saved()]
    with pytest.raises(BadQuery, match="ada"):
        searches.save(first._replace(by="bob"))
    with pytest.raises(BadQuery, match="name"):
        searches.save(first._replace(name=" "))
    assert not searches.forget_saved(again.id, by="bob", staff=False)
    assert searches.forget_saved(again.id, by="bob", staff=True)


def test_no_more_searches_are_saved_than_can_be_looked_through() -> None:
    SavedSearch.objects.bulk_create(
        SavedSearch(name=f"n{number}", text="x", query="", by="ada") for number in range(searches.SAVED)
    )
    with pytest.raises(BadQuery, match="saved already"):
        searches.save(Kept(id=0, text="x", query="", name="one more", by="ada"))
    searches.save(Kept(id=0, text="y", query="", name="n1", by="ada"))


def marked(*told: dict[str, object]) -> list[Mark]:
    return read(json.dumps(list(told)).encode(), NOW)


def test_markers_are_kept_once_and_found_by_range_environment_and_service() -> None:
    told = marked(
        {"title": "a", "at": 1790000000},
        {"title": "b", "at": 1790003600, "environment": "prod", "service": "wallet"},
        {"title": "c", "at": 1790007200, "until": 1790010800, "environment": "test"},
    )
    assert 3 == markers.keep(told, by="ci", workspace="main")
    assert 0 == markers.keep(told, by="ci", workspace="main")
    assert 3 == markers.keep(told, by="ci", workspace="shop")

    def titles(start: int | None, end: int | None, **more: object) -> str:
        return "".join(one.title for one in markers.between(start, end, **more))  # type: ignore[arg-type]

    assert "abc" == titles(None, None)
    assert "bc" == titles(NOW + 1, None)
    assert "c" == titles(NOW + 2 * HOUR + 1, None)  # it lasts into the range
    assert "ab" == titles(NOW, NOW + 2 * HOUR)
    assert "ab" == titles(None, None, environment="prod")
    assert "ac" == titles(None, None, services=("odds",))
    markers.forget(NOW + 2 * HOUR + 1)
    assert "c" == titles(None, None)
