"""A question waits for a store so long in all, and only waiting counts."""

import time
from contextlib import suppress

import pytest

from timeline.store.patience import asking, left, patience, renewed, rest, spent, waiting


def test_nobody_waits_within_a_limit_that_nobody_set() -> None:
    assert left() is None
    with waiting():
        pass
    assert 0.0 == spent()
    renewed()
    assert left() is None


def test_every_wait_of_a_question_is_taken_from_one_limit() -> None:
    with patience(10.0):
        rest(0.02)
        with waiting():
            began = time.monotonic()
            while time.monotonic() - began < 0.02:
                pass
        assert 0.04 <= spent() < 5
        assert 10.0 == pytest.approx(spent() + (left() or 0))
        renewed()
        assert 10.0 == left()
    assert left() is None


def test_a_limit_within_a_limit_is_no_longer_and_counts_in_both() -> None:
    with patience(10.0):
        with patience(1.0):
            assert 1.0 == left()
            rest(0.02)
        assert 0.02 <= spent() < 5
        with patience(60.0):
            assert 5 < (left() or 0) <= 9.98
    assert left() is None


def test_waiting_for_an_answer_that_comes_is_given_back_within_a_bound() -> None:
    with patience(10.0, spare=5.0):
        with asking():
            time.sleep(0.03)
        assert 10.0 == pytest.approx(left(), abs=0.005)
        with suppress(TimeoutError), asking():
            time.sleep(0.02)
            raise TimeoutError
        assert (left() or 0) <= 9.98
    with patience(10.0, spare=0.02):
        with asking():
            time.sleep(0.04)
        assert 0.02 <= spent() < 5
    with asking():
        pass
    assert left() is None


def test_a_limit_that_is_used_up_leaves_nothing() -> None:
    with patience(0.001):
        rest(0.01)
        assert 0.0 == left()
