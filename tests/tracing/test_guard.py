from __future__ import annotations

import pytest

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
