"""``POST /v1/markers``: a deploy is told where facts are sent, with the same key."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.receiving import Driven
from tests.timeline.receive.test_access import KEY, look

JSON = {"content-type": "application/json"}
DEPLOY = json.dumps({"service": "wallet", "version": "2.14.0"}).encode()


def test_a_marker_is_kept_in_the_workspace_of_its_key(tmp_path: Path) -> None:
    driven = Driven(tmp_path, look=look)
    status, _, body = driven.ask("POST", "/v1/markers", JSON | {"authorization": f"Bearer {KEY}"}, DEPLOY)
    assert (201, {"new": 1}) == (status, json.loads(body))
    ((workspace, mark),) = driven.marks
    assert ("shop", "wallet 2.14.0") == (workspace, mark.title)


def test_it_may_come_packed(driven: Driven) -> None:
    packed = gzip.compress(DEPLOY)
    assert 201 == driven.ask("POST", "/v1/markers", JSON | {"content-encoding": "gzip"}, packed)[0]


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        (JSON, b"{", 400),
        (JSON, b"[" + b'{"title":"x"},' * 100 + b'{"title":"x"}]', 413),
        ({"content-type": "application/x-protobuf"}, DEPLOY, 415),
    ],
)
def test_what_cannot_be_read_is_a_problem_document_and_no_lost_fact(
    driven: Driven, headers: dict[str, str], body: bytes, expected: int
) -> None:
    status, answered, said = driven.ask("POST", "/v1/markers", headers, body)
    assert expected == status
    assert "application/problem+json" == answered["content-type"]
    assert json.loads(said)["detail"]
    assert {} == driven.tally()
    assert [] == driven.accepted()


def test_a_stranger_tells_nothing(tmp_path: Path) -> None:
    driven = Driven(tmp_path, host="0.0.0.0")  # noqa: S104 - what is refused
    assert 401 == driven.ask("POST", "/v1/markers", JSON, DEPLOY)[0]
    assert [] == driven.marks
