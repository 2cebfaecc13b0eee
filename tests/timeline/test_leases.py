"""Periodic work is done by one node, and by another when that one is gone."""

from __future__ import annotations

import time

import pytest

from timeline import leases
from timeline.models import Lease

pytestmark = pytest.mark.django_db


def _row() -> Lease:
    return Lease.objects.get(task="sweep")


def test_the_first_to_come_does_the_work_and_the_other_node_finds_it_done() -> None:
    with leases.turn("sweep", node="a", every=600) as first:
        pass
    with leases.turn("sweep", node="b", every=600) as second:
        pass
    assert (True, False) == (first, second)
    assert ("a", 0) == (_row().node, _row().until)


def test_nobody_begins_what_another_is_doing() -> None:
    with leases.turn("sweep", node="a", every=0) as first, leases.turn("sweep", node="b", every=0) as second:
        assert (True, False) == (first, second)
        assert "a" == _row().node


def test_work_is_due_again_after_its_time_for_any_node() -> None:
    with leases.turn("sweep", node="a", every=0):
        pass
    with leases.turn("sweep", node="b", every=0) as again:
        assert again
    assert "b" == _row().node


def test_a_holder_that_died_is_followed_when_its_lease_has_run_out() -> None:
    holder = leases.turn("sweep", node="a", every=600)
    assert holder.__enter__()
    with leases.turn("sweep", node="b", every=600) as early:
        assert not early
    Lease.objects.update(until=time.time_ns() - 1)  # a minute later
    with leases.turn("sweep", node="b", every=600) as late:
        assert late
    holder.__exit__(None, None, None)


def test_the_late_end_of_a_paused_holder_changes_nothing() -> None:
    paused = leases.turn("sweep", node="a", every=600)
    assert paused.__enter__()
    Lease.objects.update(until=time.time_ns() - 1)
    with leases.turn("sweep", node="b", every=600):
        paused.__exit__(None, None, None)
        assert ("b", 0) == (_row().node, _row().done)
        assert _row().until > time.time_ns()


def test_work_that_failed_is_due_at_once() -> None:
    with pytest.raises(ValueError, match="disk"), leases.turn("sweep", node="a", every=600):
        raise ValueError("disk")
    with leases.turn("sweep", node="b", every=600) as again:
        assert again


def test_a_holder_at_work_renews_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    renewed: list[int] = []

    class Ended:
        """Ends after two renewals."""

        def wait(self, seconds: float) -> bool:
            assert seconds < leases.LENGTH / 10**9 / 2
            renewed.append(_row().until)
            return len(renewed) > 2

    Lease.objects.create(task="sweep", holder="me", until=1)
    monkeypatch.setattr(leases.connection, "close", lambda: None)
    leases._renew("sweep", "me", Ended())  # type: ignore[arg-type]
    assert [1] == renewed[:1]
    assert renewed[2] >= renewed[1] > time.time_ns()
