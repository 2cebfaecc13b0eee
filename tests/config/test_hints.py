"""The embedded broker survives what its writer left half done."""

from __future__ import annotations

from pathlib import Path

from kombu import Connection

from config.hints import Transport


def _connection(folder: Path) -> Connection:
    options = {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(folder / "control"),
    }
    return Connection("filesystem://", transport=Transport, transport_options=options)


def test_a_half_written_message_is_passed_over_and_the_next_one_arrives(tmp_path: Path) -> None:
    with _connection(tmp_path) as connection:
        queue = connection.SimpleQueue("drain")
        (tmp_path / "0_0.drain.msg").write_bytes(b"")
        queue.put({"hint": 1})
        message = queue.get(timeout=5)
        assert {"hint": 1} == message.payload
        message.ack()
