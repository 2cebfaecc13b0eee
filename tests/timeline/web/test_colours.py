"""Service colours: stable, and apart on one page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from timeline.web.colours import HUES, assign


@given(st.sets(st.text(), max_size=HUES))
def test_up_to_twenty_services_never_share_a_colour(services: set[str]) -> None:
    assert len(services) == len(set(assign(services).values()))


@given(st.lists(st.text(), max_size=40))
def test_the_order_of_services_changes_nothing(services: list[str]) -> None:
    assert assign(services) == assign(services[::-1])


@given(st.sets(st.text(), min_size=HUES + 1, max_size=60))
def test_beyond_twenty_colours_repeat_and_stay_in_range(services: set[str]) -> None:
    assert set(assign(services).values()) == set(range(HUES))
