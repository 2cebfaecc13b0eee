"""What is in a list of facts: values picked, waits, orders."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from html import unescape

import pytest

from tests import builders as b
from tests.timeline.web.house import House, lately, rows
from timeline.domain import Link, Message, Stored
from timeline.errors import StoreUnavailable

pytestmark = pytest.mark.django_db


def test_values_of_a_facet_are_picked_one_after_the_other(house: House) -> None:
    house.write(*(lately(number, service=name) for number, name in enumerate(("a", "b", "c", "c"))))

    def of(page: str) -> dict[str, str]:
        return {
            title: unescape(href)
            for href, title in re.findall(r'<a href="([^"]+)"[^>]*? title="([^"]+)"', page)
            if title in ("Only a", "b too", "c too", "No longer a", "No longer b", "Without c")
        }

    links = of(house.page("/search?q=name:work"))
    assert {"Only a", "Without c"} == links.keys()
    links = of(house.page(links["Only a"]))
    assert {"No longer a", "b too", "c too"} == links.keys()  # counted as if nothing were picked
    page = house.page(links["b too"])
    assert 2 == len(rows(page))
    assert {"No longer a", "No longer b", "c too"} == of(page).keys()
    assert 4 == len(rows(house.page(of(page)["c too"])))
    assert ["b"] == re.findall(
        r'class="service door"[^>]*title="Only (.)"', house.page(of(page)["No longer a"])
    )


def test_a_handling_says_how_long_its_message_had_waited(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns() - b.HOUR
    sent, taken = (
        b.span(
            number=number, start=at, end=at + b.SECOND, kind=kind, service=kind,
            message=Message(system="kafka", operation=operation, destination="orders"),
            links=(Link(ref=b.ref(1, 1)),) * (number - 1),
        )
        for number, at, kind, operation in ((1, now, "producer", "send"), (2, now + 91 * b.SECOND, "consumer", "process"))
    )  # fmt: skip
    house.write(b.stored(sent, received=now), b.stored(taken, received=now))
    page = house.page("/search?columns=name,wait,work")
    assert ["90.000 s", "1.000 s", "", "1.000 s"] == re.findall(r'<td class="num">([^<]*)</td>', page)
    assert "90.000 s" not in house.page("/search?columns=name,work")

    def away(facts: Sequence[Stored]) -> dict[str, int]:
        raise StoreUnavailable("a shard is lost", remedy="bring it back")

    monkeypatch.setattr(house.desk, "waits", away)
    page = house.page("/search?columns=name,wait")
    assert [True, False] == ["its sender cannot be read" in row for row in page.split("data-row ")[1:]]


def test_the_longest_come_first_and_no_gap_is_shown_between_them(house: House) -> None:
    now = time.time_ns() - b.HOUR
    lengths = {1: 3, 2: 5, 3: 4}
    house.write(
        *(
            b.stored(
                b.span(
                    number=n,
                    name=f"op-{n}",
                    start=now + n * 600 * b.SECOND,
                    end=now + (n * 600 + took) * b.SECOND,
                ),
                received=now,
            )
            for n, took in lengths.items()
        )
    )
    page = house.page("/search?sort=longest")
    assert ["op-2", "op-3", "op-1"] == re.findall(r'<a class="open[^>]*>([^<]+)</a>', page)
    assert 'class="gap"' not in page
    assert 'class="gap"' in house.page("/search?sort=newest")
