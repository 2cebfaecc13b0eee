"""A disk that fills: no acknowledgement beyond the reserve, nothing acknowledged is lost, and it goes on by itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.receiving import Driven, wait_for
from tests.timeline.receive import otlp
from tests.timeline.receive.otlp import PROTOBUF
from timeline.inbox.schema import RESERVE

_DISK = RESERVE + (24 << 20)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with little more than the reserve; needs root, as the suite's other mounts do."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = f"size={_DISK},mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True, timeout=30)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True, timeout=30)


def _free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def test_a_full_disk_stops_acknowledging_at_the_reserve_and_loses_nothing(small_disk: Path) -> None:
    driven = Driven(small_disk, body=4 << 20)
    acknowledged = 0

    def send() -> int:
        body = otlp.traces_protobuf(1, name=os.urandom(128 << 10).hex())
        return driven.ask("POST", "/v1/traces", PROTOBUF, body)[0]

    def stops() -> bool:
        nonlocal acknowledged
        status = send()
        acknowledged += status == 200
        assert status in (200, 503)
        return status == 503

    wait_for(stops, "a refusal")
    assert acknowledged > 10
    assert _free(small_disk) < RESERVE
    assert _free(small_disk) > RESERVE // 2  # room for the index and the database was kept
    status, headers, _ = driven.ask("POST", "/v1/traces", PROTOBUF, otlp.traces_protobuf())
    assert (503, "1") == (status, headers["retry-after"])
    assert 503 == driven.ask("GET", "/readyz")[0]
    assert acknowledged == driven.inbox.backlog().requests

    (ballast := small_disk / "ballast").write_bytes(bytes(max(_free(small_disk) - (1 << 20), 0)))
    lease, batch = driven.inbox.claim(items=1 << 30, size=1 << 30)  # reading and draining go on
    assert acknowledged == len(batch)
    ballast.unlink()
    assert acknowledged == driven.inbox.release(lease, {one.request.id: [] for one in batch})
    driven.inbox._connection.execute("VACUUM")
    driven.inbox._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    wait_for(lambda: send() == 200, "an acknowledgement once there is room")
