"""A trace as a graph of services and destinations."""

from __future__ import annotations

from tests.timeline.rebuild.cast import MS, rebuilt, sent, spanned, taken
from timeline.domain import Stored
from timeline.rebuild.flow import Edge, graph

SHOP, BETS, WALLET = ("service", "shop"), ("destination", "bets"), ("service", "wallet")


def edges(*facts: Stored, **options: object) -> dict[tuple[str, str], Edge]:
    return {(one.source[1], one.target[1]): one for one in graph(rebuilt(*facts, **options)).edges}


def story() -> list[Stored]:
    return [
        sent(1, 2, 5, 6),
        taken(1, 3, 26, 36, parent=2, status="error"),
        taken(1, 4, 46, 56, parent=2),
        spanned(1, 5, 47, 50, parent=4, name="ask", service="odds"),
    ]


def test_a_message_goes_through_its_destination_and_attempts_are_counted_apart() -> None:
    found = edges(*story())
    assert (1, 0) == (found["shop", "bets"].count, found["shop", "bets"].failed)
    took = found["bets", "wallet"]
    assert (1, 1, 1, [20 * MS]) == (took.count, took.again, took.failed, took.waits)


def test_a_call_goes_straight_from_service_to_service_and_a_message_does_not() -> None:
    found = edges(*story())
    assert ("call", 1) == (found["wallet", "odds"].kind, found["wallet", "odds"].count)
    assert ("shop", "wallet") not in found


def test_a_group_that_has_not_taken_a_message_has_an_edge_that_says_so() -> None:
    found = edges(sent(1, 1, 0, 10), groups={"bets": frozenset({"g"})})["bets", "g"]
    assert (0, 1) == (found.count, found.open)


def test_every_service_and_destination_is_a_node() -> None:
    assert {SHOP, BETS, WALLET, ("service", "odds")} == set(graph(rebuilt(*story())).nodes)


def test_a_circle_of_services_ends() -> None:
    facts = [spanned(1, n, n, n + 1, parent=n - 1 or None, service="ab"[n % 2]) for n in range(1, 6)]
    assert {("service", "a"), ("service", "b")} == set(graph(rebuilt(*facts)).nodes)
