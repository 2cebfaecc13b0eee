"""What belongs to the search page: kept, waited for, followed, one's own columns, markers, environments."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests import builders as b
from tests.timeline.web.house import House, lately, rows
from timeline import keys
from timeline.models import Audit, RecentSearch, SavedSearch, Sender, Token, Watch

pytestmark = pytest.mark.django_db


def test_every_page_of_the_list_says_what_limits_it(house: House) -> None:
    house.write(*(lately(number) for number in range(1, 61)))
    page = house.page("/search")
    assert "50 on this page" in page
    assert 50 == len(rows(page))
    assert re.search(r"ran <time[^>]+>[\d:.]+</time> in [\d.]+ (ms|µs|s)", page)


def test_a_search_waits_for_what_it_did_not_find_until_it_arrives(house: House) -> None:
    assert "Tell me when it arrives" in house.page("/search?q=bet:77")
    back = house.post("/watches/add", q="bet:77")
    assert "/search?q=bet%3A77" == back
    page = house.page(back)
    assert "You will be told" in page
    assert "Tell me when it arrives" not in page
    assert {"arrived": 0} == house.client.get("/watches/news").json()
    assert "Nothing of what you wait for has arrived yet." in house.page("/watches")
    arrived = lately(1, entities=b.entities("bet:77"), received=time.time_ns())
    house.write(arrived)
    page = house.page("/watches")  # opening the list looks, too
    assert "1 of what you wait for arrived." in page
    assert f"/facts/{arrived.receipt.id}" in page
    assert {"arrived": 1} == house.client.get("/watches/news").json()
    assert "1 arrived" in house.page("/help")
    (watch,) = Watch.objects.all()
    assert "/watches" == house.post(f"/watches/{watch.pk}/remove")
    assert "You wait for nothing." in house.page("/watches")


def test_waiting_is_withdrawn_where_it_was_asked_for(house: House) -> None:
    house.post("/watches/add", q="bet:77", range="7d")
    (watch,) = Watch.objects.all()
    assert "/search?q=bet%3A77&range=7d" == house.post(
        f"/watches/{watch.pk}/remove", back="q=bet%3A77&range=7d&next=//evil.example"
    )
    assert "Tell me when it arrives" in house.page("/search?q=bet:77&range=7d")


def test_nobody_waits_for_what_was_seen(house: House) -> None:
    house.write(lately(1, entities=b.entities("bet:77")))
    house.post("/watches/add", q="bet:77")
    assert not Watch.objects.exists()


def test_a_watch_of_somebody_else_is_neither_shown_nor_withdrawn(house: House) -> None:
    other = User.objects.create(username="other")
    now = time.time_ns()
    watch = Watch.objects.create(user=other, text="secret:1", since=now, made=now, expires=now + b.HOUR)
    assert "secret" not in house.page("/watches")
    house.post(f"/watches/{watch.pk}/remove")
    assert Watch.objects.exists()


def test_a_saved_search_opens_equal_for_another_and_changes_nothing_of_theirs(house: House) -> None:
    house.write(*(lately(number, service="wallet") for number in (1, 2)))
    asked = {"range": "7d", "sort": "oldest", "columns": "name,size,trace", "density": "comfortable"}
    query = urlencode({**asked, "cursor": "x", "next": "//evil.example"})
    there = house.post("/saved/add", q="service:wallet", query=query, name="Of the wallet", note="for all")
    assert {"q": ["service:wallet"], **{name: [value] for name, value in asked.items()}} == parse_qs(
        urlsplit(there).query
    )
    other = Client()
    other.force_login(User.objects.create(username="other"))
    other.cookies["columns"] = "name,service"
    answer = other.get(there)
    page = answer.content.decode()
    assert ["Event time, UTC", "Type or operation", "Body", "Trace"] == [
        re.sub("<[^>]+>", "", cell) for cell in re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", page)
    ]
    assert "columns set by this link" in page
    assert {"csrftoken"} >= set(answer.cookies)
    assert "Of the wallet" in page  # in the rail of everybody
    assert 404 == other.post(f"/saved/{SavedSearch.objects.get().pk}/remove").status_code
    house.post(f"/saved/{SavedSearch.objects.get().pk}/remove")
    assert "No search is saved yet." in house.page("/saved")


def test_the_readers_own_columns_are_made_and_unmade_by_a_word(house: House) -> None:
    house.write(lately(1))
    house.post("/search/usual", q="", query="columns=name,size&density=comfortable")
    page = house.page("/search")
    assert "roomy" in page
    assert ">Body</th>" in page
    house.post("/search/usual", q="", query="", reset="1")
    page = house.page("/search")
    assert "roomy" not in page
    assert ">Body</th>" not in page


def test_any_key_can_be_a_column(house: House) -> None:
    house.write(lately(1, attributes={"order.total": 42.5}))
    answer = house.client.get("/search?columns=name,size&column=order.total&q=*")
    assert 302 == answer.status_code
    page = house.page(answer.headers["Location"])
    assert ">order.total</th>" in page
    assert "42.5" in page


def test_what_was_asked_is_listed_under_the_empty_box(house: House) -> None:
    house.write(lately(1))
    house.page("/search?q=name:work&range=7d")
    house.page("/search?q=name:work&range=7d")
    house.post("/saved/add", q="status:error", query="", name="Failed", note="all that failed")
    offers = house.client.get("/api/v1/suggest?text=").json()["offers"]
    assert [("recent", "name:work"), ("saved", "Failed")] == [(one["kind"], one["label"]) for one in offers]
    assert "/search?q=name%3Awork&range=7d" == offers[0]["href"]
    house.post("/saved/recent/remove")
    assert not RecentSearch.objects.exists()


def test_completions_come_with_what_they_replace(house: House) -> None:
    house.write(lately(1, service="wallet"))
    answer = house.client.get("/api/v1/suggest?text=status:error+service:wa").json()
    assert (13, ["service:wallet"]) == (answer["start"], [one["text"] for one in answer["offers"]])


def test_a_token_gets_completions_and_nobodys_recent_searches(house: House) -> None:
    house.page("/search?q=name:secret")
    token = keys.create("robot", Token.Scope.READ)
    answer = Client().get("/api/v1/suggest?text=", headers={"Authorization": f"Bearer {token}"})
    assert {"start": 0, "offers": []} == answer.json()


def test_a_facet_is_looked_into_and_searched_within(house: House) -> None:
    house.write(*(lately(number, name=f"op-{number}") for number in range(1, 31)))
    page = house.page("/search")
    assert 'aria-label="More of Operation"' in page
    page = house.page("/search?more=name")
    assert all(f'title="Only op-{number}"' in page for number in range(1, 31))
    page = house.page("/search?more=name&find=OP-2")
    assert 'title="Only op-29"' in page
    assert 'title="Only op-1"' not in page
    assert "No value with" in house.page("/search?more=name&find=none")
    assert "sampled" in house.page("/search?more=none.such")


def test_the_environment_is_chosen_beside_the_box_and_kept(house: House) -> None:
    Sender.objects.create(service="a", environment="prod", first=1, last=1)
    house.write(lately(1, environment="prod"), lately(2, environment="test"))
    page = house.page("/search?environment=test")
    assert 1 == len(rows(page))
    assert 'name="environment" value="test"' in page  # what is asked next stays in it
    assert "Every environment" in page
    assert 2 == len(rows(house.page("/search")))
    csv = b"".join(house.client.get("/api/v1/export/search?format=csv&environment=test&q=").streaming_content)  # type: ignore[attr-defined]
    assert 1 == csv.count(b"OrderPlaced") + csv.count(b",work,")


def test_new_rows_come_as_the_page_draws_them(house: House) -> None:
    now = time.time_ns()
    old, fresh = lately(1, received=now - 90 * b.SECOND), lately(2, received=now - 5 * b.SECOND)
    late = b.stored(b.span(number=3, start=now - b.HOUR), received=now - 4 * b.SECOND)
    house.write(old, fresh, late)
    answer = house.page(f"/search/tail?q=name:work&after={now - 60 * b.SECOND}&columns=name,flags")
    assert [late.receipt.id, fresh.receipt.id] == re.findall(r'data-row data-id="([^"]+)"', answer)
    assert 'data-skipped="0"' in answer
    assert 1 == answer.count("Late")
    up_to = re.search(r'data-up-to="(\d+)"', answer)
    assert up_to is not None
    assert [] == re.findall("data-row ", house.page(f"/search/tail?q=name:work&after={up_to[1]}"))
    house.page("/search/tail?after=soon", status=400)


def test_following_is_in_the_url_and_goes_by_received_order(house: House) -> None:
    house.write(lately(1))
    page = house.page("/search?q=name:work")
    assert 'href="/search?q=name%3Awork&amp;tail=1&amp;sort=received"' in page
    page = house.page("/search?q=name:work&tail=1&sort=received")
    assert re.search(
        r'data-tail data-source="/search/tail\?q=name%3Awork&amp;sort=received" data-after="\d+"', page
    )


def test_the_api_follows_too(house: House) -> None:
    now = time.time_ns()
    house.write(lately(1, received=now - 5 * b.SECOND))
    token = keys.create("robot", Token.Scope.READ)
    headers = {"Authorization": f"Bearer {token}"}
    answer = Client().get(f"/api/v1/tail?after={now - 60 * b.SECOND}", headers=headers).json()
    assert (1, 0) == (len(answer["facts"]), answer["skipped"])
    again = Client().get("/api/v1/tail?" + urlencode({"after": answer["up_to"]}), headers=headers).json()
    assert [] == again["facts"]


def test_events_around_one_lift_the_filter_and_lead_back(house: House) -> None:
    house.write(*(lately(number, service="wallet" if number == 30 else "odds") for number in range(1, 61)))
    page = house.page("/search?q=service:wallet&range=7d&columns=name,trace")
    (only,) = rows(page)
    around = re.search(rf'href="(/facts/{only}/around[^"]*)"', page)
    assert around is not None
    answer = house.client.get(around[1].replace("&amp;", "&"))
    assert 302 == answer.status_code
    page = house.page(answer.headers["Location"])
    assert 41 == len(rows(page))
    assert f'data-row data-id="{only}" aria-selected="true"' in page
    back = re.search(r'href="([^"]*)" data-back', page)
    assert back is not None
    assert "/search?q=service%3Awallet&range=7d&columns=name%2Ctrace" == back[1].replace("&amp;", "&")
    house.page("/facts/AAAAAAAAAAAAAAAAAAAA/around", status=404)


def test_the_way_back_never_leads_elsewhere(house: House) -> None:
    house.write(lately(1))
    page = house.page("/search?" + urlencode({"back": "q=x&next=https://evil.example&view=text"}))
    back = re.search(r'href="([^"]*)" data-back', page)
    assert back is not None
    assert "/search?q=x&amp;view=text" == back[1]


def test_a_zoom_remembers_the_range_before(house: House) -> None:
    house.write(lately(1))
    page = house.page("/search?q=name:work&range=1h")
    bar = re.search(r'<a href="([^"]+)" tabindex="-1"', page)
    assert bar is not None
    zoomed = house.page(bar[1].replace("&amp;", "&"))
    assert 'href="/search?q=name%3Awork&amp;range=1h" data-zoom-out' in zoomed


def test_the_url_alone_shows_the_preview(house: House) -> None:
    one = lately(1, attributes={"shown.in": "the panel"})
    house.write(one)
    page = house.page(f"/search?fact={one.receipt.id}")
    assert "the panel" in page
    assert "with-preview" in page
    assert "with-preview" not in house.page("/search?fact=AAAAAAAAAAAAAAAAAAAA")


def marked(house: House, path: str = "/api/v1/markers", **more: Any) -> Any:
    body = json.dumps({"service": "wallet", "version": "2.14.0", **more})
    return house.client.post(path, body, content_type="application/json")


def test_a_marker_is_told_by_a_session_or_an_ingest_key_and_drawn(house: House) -> None:
    house.write(lately(1))
    assert (201, {"new": 1}) == ((answer := marked(house)).status_code, answer.json())
    body = json.dumps([{"title": "odds <b>x</b>", "kind": "incident", "url": "https://ci.example.org/1"}])
    for scope, expected in ((Token.Scope.INGEST, 201), (Token.Scope.READ, 401)):
        headers = {"Authorization": f"Bearer {keys.create('ci', scope)}"}
        answer = Client().post("/api/v1/markers", body, content_type="application/json", headers=headers)
        assert expected == answer.status_code
    page = house.page("/search")
    assert "2 markers" in page
    assert "wallet 2.14.0" in page
    assert "odds &lt;b&gt;x&lt;/b&gt;" in page
    listed = house.client.get("/api/v1/markers?range=1h").json()["markers"]
    assert [("wallet 2.14.0", "reader"), ("odds <b>x</b>", "ci")] == [
        (one["title"], one["by"]) for one in listed
    ]
    assert 400 == marked(house, at="soon").status_code
    assert not Audit.objects.filter(what="expire").exists()


def test_a_marker_stands_in_the_story_of_what_it_fell_into(house: House) -> None:
    now = time.time_ns()
    spans = [
        b.span(
            number=number,
            start=now - (40 - number) * b.SECOND,
            service="wallet",
            entities=b.entities("bet:5"),
        )
        for number in (1, 30)
    ]
    house.write(*(b.stored(span) for span in spans))
    marked(house, at=str(now - 20 * b.SECOND), url="https://ci.example.org/2")
    marked(house, at=str(now - 20 * b.SECOND), service="odds", version="1")
    marked(house, at=str(now - 4000 * b.SECOND), title="long before")
    page = house.page("/e/bet/5")
    assert 1 == page.count('class="marker deploy"')
    assert "https://ci.example.org/2" in page
    assert "odds 1" not in page
    assert "long before" not in page
    trace = house.page(f"/traces/{spans[0].ref.trace_id}")
    assert 1 == trace.count('class="marker deploy"')
    assert "https://ci.example.org/2" in trace


def test_what_was_not_seen_is_shown_beside_what_was_nearest(house: House) -> None:
    house.write(
        lately(1, service="wallet", name="goal"), *(lately(n, service="odds", name="goal") for n in (2, 3))
    )
    page = house.page("/search?q=name:goal service:wallet status:error")
    assert "Seen instead" in page
    assert "Leave out status error" in page
    assert 1 == page.count("data-row>")  # of the suggestion that finds the fewest
    assert "Seen instead" not in house.page("/search?q=none:such")


def test_deploys_are_listed_where_flows_are(house: House) -> None:
    house.write(lately(1))
    marked(house)
    page = house.page("/flows?range=1h")
    assert "Deploys and changes" in page
    assert "wallet 2.14.0" in page


@pytest.mark.parametrize(
    "path", ["/watches/add", "/saved/add", "/search/usual", "/saved/recent/remove", "/watches/1/remove"]
)
def test_no_foreign_page_changes_anything_of_the_readers(house: House, path: str) -> None:
    foreign = Client(enforce_csrf_checks=True)
    foreign.force_login(house.user)
    assert 403 == foreign.post(path, {"q": "bet:1", "name": "x"}).status_code
    assert not Watch.objects.exists()
    assert not SavedSearch.objects.exists()


def test_a_marker_of_a_foreign_page_is_refused(house: House) -> None:
    foreign = Client(enforce_csrf_checks=True)
    foreign.force_login(house.user)
    answer = foreign.post("/api/v1/markers", '{"title": "x"}', content_type="application/json")
    assert answer.status_code in (401, 403)
    assert [] == house.client.get("/api/v1/markers?range=1h").json()["markers"]


def test_every_new_address_is_described(house: House) -> None:
    described = house.client.get("/api/openapi.json").json()["paths"]
    assert {"/api/v1/tail", "/api/v1/suggest", "/api/v1/markers"} <= set(described)
    assert "requestBody" in described["/api/v1/markers"]["post"]
