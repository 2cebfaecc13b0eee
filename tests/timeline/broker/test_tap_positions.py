"""How far the tap has read, of one process alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from timeline.broker.tap import positions
from timeline.broker.tap.positions import Positions
from timeline.errors import Rejected


def test_what_was_noted_is_known_to_the_next_one(tmp_path: Path) -> None:
    first = Positions(tmp_path)
    first.reached("c", {("orders", 0): 7, ("orders", 1): 9})
    first.reached("c", {("orders", 0): 8})
    first.reached("other", {("orders", 0): 1})
    first.close()
    again = Positions(tmp_path)
    assert {("orders", 0): 8, ("orders", 1): 9} == again.known("c")
    again.close()


def test_a_second_tap_of_the_same_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "_PATIENCE", 0.1)
    first = Positions(tmp_path)
    with pytest.raises(Rejected, match="another tap runs there"):
        Positions(tmp_path)
    first.close()
    Positions(tmp_path).close()
