"""Long commands say how far they are, and go on where they were."""

from __future__ import annotations

import io
from pathlib import Path

from timeline.management.progress import Checkpoint, Progress


def test_a_bar_tells_share_and_count() -> None:
    out = io.StringIO()
    bar = Progress("main", 400, out)
    bar.add(100)
    assert "main [######                  ]  25%  100 of 400" in bar.line()
    bar.add(400)  # more arrived meanwhile
    assert "100%  500 of 400" in bar.line()
    bar.end()
    assert 1 == out.getvalue().count("\n")
    assert "\x1b" not in out.getvalue()


def test_nothing_to_do_is_no_failure() -> None:
    assert "0 of 1" in Progress("main", 0, io.StringIO()).line()


def test_a_checkpoint_is_read_back_by_its_names_alone(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path, "reindex", "a", "b")
    assert {} == kept.read()
    kept.write(until=7)
    assert {"until": 7} == Checkpoint(tmp_path, "reindex", "a", "b").read()
    assert {} == Checkpoint(tmp_path, "reindex", "ab").read()
    kept.forget()
    kept.forget()
    assert {} == kept.read()


def test_a_damaged_checkpoint_starts_anew(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path, "reindex", "a")
    kept.write(until=7)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"{")
    assert {} == kept.read()
