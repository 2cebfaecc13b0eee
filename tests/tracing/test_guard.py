from __future__ import annotations

import threading

import pytest

from tracing import guard
from tracing.guard import guarded, losses, lost


def test_an_error_inside_is_swallowed_and_counted_by_reason() -> None:
    before = losses().get("a reason", 0)
    with guarded("a reason"):
        raise ValueError
    lost("a reason", 2)
    assert before + 3 == losses()["a reason"]


def test_what_must_end_the_process_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt), guarded("a reason"):
        raise KeyboardInterrupt


def test_what_is_collected_while_a_loss_is_counted_may_count_its_own() -> None:
    def count() -> None:
        with guard._lock:
            lost("another reason")

    before = losses().get("another reason", 0)
    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert before + 1 == losses()["another reason"]
