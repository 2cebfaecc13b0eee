"""Who may send, and from where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.receiving import Driven
from tests.timeline.receive import otlp
from tests.timeline.receive.otlp import JSON
from timeline.errors import QueueUnavailable
from timeline.receive.access import FRESH, Keys, Sender, is_loopback

KEY = "tl_ingest_" + "a" * 40 + "_00000000"
PAYMENTS = Sender(name="payments", workspace="shop")


def look(secret: str) -> Sender | None:
    """Knows one key."""
    return PAYMENTS if secret == KEY else None


def post(
    driven: Driven, headers: dict[str, str] | None = None, peer: str = "127.0.0.1:5000"
) -> tuple[int, dict[str, str], bytes]:
    return driven.ask("POST", "/v1/logs", JSON | (headers or {}), otlp.logs(), peer=peer)


@pytest.mark.parametrize("peer", ["127.0.0.1:5000", "127.8.9.1:1", "[::1]:5000", "[::ffff:127.0.0.1]:5000"])
def test_the_machine_itself_needs_no_key(driven: Driven, peer: str) -> None:
    assert 200 == post(driven, peer=peer)[0]


@pytest.mark.parametrize("peer", ["10.0.0.5:5000", "[fe80::1]:5000", "[::ffff:10.0.0.5]:5000", "unix:"])
def test_another_machine_needs_a_key(driven: Driven, peer: str) -> None:
    status, headers, body = post(driven, peer=peer)
    assert (401, "Bearer", 16) == (status, headers["www-authenticate"], json.loads(body)["code"])
    assert driven.accepted() == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "receiver.example.org"])  # noqa: S104
def test_a_socket_beyond_loopback_needs_a_key_even_from_this_machine(tmp_path: Path, host: str) -> None:
    assert 401 == post(Driven(tmp_path, host=host))[0]


@pytest.mark.parametrize(
    "name",
    [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded",
        "via",
        "x-real-ip",
    ],
)
def test_what_was_forwarded_needs_a_key(driven: Driven, name: str) -> None:
    assert 401 == post(driven, {name: "127.0.0.1"})[0]


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"x-throughline-key": KEY},
        {"x-throughline-key": KEY, "x-forwarded-for": "10.0.0.9"},
    ],
)
def test_a_key_opens_from_anywhere_and_names_sender_and_workspace(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    driven = Driven(tmp_path, host="0.0.0.0", look=look)  # noqa: S104
    assert 200 == post(driven, headers, peer="10.0.0.5:5000")[0]
    (request,) = driven.accepted()
    assert ("payments", "shop") == (request.sender, request.workspace)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"authorization": f"Bearer {KEY}x"}, 401),
        ({"authorization": "Bearer " + "x" * 100_000}, 401),
        ({"x-throughline-key": "tl_read_" + "a" * 40}, 403),
    ],
)
def test_a_bad_key_is_refused_even_where_none_is_needed(
    tmp_path: Path, headers: dict[str, str], expected: int
) -> None:
    assert expected == post(Driven(tmp_path, look=look), headers)[0]


@pytest.mark.django_db
def test_what_a_bad_key_sent_is_counted_as_refused(tmp_path: Path) -> None:
    driven = Driven(tmp_path, look=look)
    post(driven, {"x-throughline-key": "tl_ingest_wrong"})
    assert {("received", ""): 1, ("refused", "bad_key"): 1} == driven.tally()


def test_a_key_never_appears_in_an_answer(tmp_path: Path) -> None:
    secret = "tl_ingest_very_secret"
    _, headers, body = post(Driven(tmp_path), {"x-throughline-key": secret})
    assert secret not in body.decode() + repr(headers)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def test_a_revoked_key_is_dead_within_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("timeline.receive.access.time", clock)
    answers: list[Sender | None] = [PAYMENTS]
    keys = Keys(lambda secret: answers[0])
    assert PAYMENTS == keys.ask(KEY)
    answers[0] = None
    clock.now += FRESH
    assert (PAYMENTS,) == keys.remembered(KEY)
    clock.now += 0.01
    assert keys.remembered(KEY) is None
    assert keys.ask(KEY) is None


def test_a_locked_database_lets_known_keys_send_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, locked = Clock(), [False]
    monkeypatch.setattr("timeline.receive.access.time", clock)

    def asked(secret: str) -> Sender | None:
        if locked[0]:
            raise QueueUnavailable("database is locked")
        return look(secret)

    keys = Keys(asked)
    keys.ask(KEY)
    locked[0] = True
    clock.now += 59
    assert PAYMENTS == keys.ask(KEY)
    with pytest.raises(QueueUnavailable):
        keys.ask("tl_ingest_never_seen")
    clock.now += 2
    with pytest.raises(QueueUnavailable):
        keys.ask(KEY)


def test_a_database_that_is_away_makes_new_keys_wait(tmp_path: Path) -> None:
    def away(secret: str) -> Sender | None:
        raise QueueUnavailable("database is locked")

    status, headers, _ = post(Driven(tmp_path, look=away), {"x-throughline-key": KEY})
    assert (503, "1") == (status, headers["retry-after"])


def test_a_flood_of_unknown_keys_is_remembered_in_bounded_memory() -> None:
    keys = Keys(lambda secret: None)
    for number in range(5000):
        keys.ask(str(number))
    assert keys.remembered("0") is None
    assert (None,) == keys.remembered("4999")


ORIGIN = "https://shop.example.org"


def test_a_page_of_an_allowed_origin_may_send_and_read_the_answer(tmp_path: Path) -> None:
    driven = Driven(tmp_path, origins=[ORIGIN])
    status, headers, _ = post(driven, {"origin": ORIGIN})
    assert (200, ORIGIN, "origin") == (status, headers["access-control-allow-origin"], headers["vary"])
    status, headers, _ = driven.ask("POST", "/v1/logs", JSON | {"origin": ORIGIN}, b"bad")
    assert (400, ORIGIN) == (status, headers["access-control-allow-origin"])


@pytest.mark.parametrize("origin", ["https://evil.example.org", "null", "", ORIGIN + ".evil.org"])
def test_a_page_of_another_origin_cannot_use_the_keyless_loopback(tmp_path: Path, origin: str) -> None:
    driven = Driven(tmp_path, origins=[ORIGIN])
    status, headers, _ = post(driven, {"origin": origin})
    assert (403, None) == (status, headers.get("access-control-allow-origin"))
    assert driven.accepted() == []


def test_a_preflight_of_an_allowed_origin_is_granted_what_it_asks(tmp_path: Path) -> None:
    asked = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "Content-Type, ce-id,traceparent, bad header",
        "access-control-request-private-network": "true",
    }
    status, headers, body = Driven(tmp_path, origins=[ORIGIN]).ask("OPTIONS", "/v1/traces", asked)
    assert (204, b"") == (status, body)
    assert {
        "access-control-allow-origin": ORIGIN,
        "vary": "origin",
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "content-type, ce-id, traceparent",
        "access-control-max-age": "7200",
        "access-control-allow-private-network": "true",
    } == headers


def test_a_preflight_of_another_origin_is_refused(tmp_path: Path) -> None:
    asked = {"origin": "https://evil.example.org", "access-control-request-method": "POST"}
    status, headers, _ = Driven(tmp_path, origins=[ORIGIN]).ask("OPTIONS", "/v1/traces", asked)
    assert (403, None) == (status, headers.get("access-control-allow-origin"))


def test_the_webhook_handshake_is_consented_to(driven: Driven) -> None:
    asked = {"webhook-request-origin": "eventemitter.example.com", "webhook-request-rate": "120"}
    status, headers, body = driven.ask("OPTIONS", "/v1/events", asked)
    assert (200, b"") == (status, body)
    assert ("eventemitter.example.com", "*") == (
        headers["webhook-allowed-origin"],
        headers["webhook-allowed-rate"],
    )


def test_options_elsewhere_name_the_methods(driven: Driven) -> None:
    status, headers, _ = driven.ask("OPTIONS", "/v1/traces")
    assert (204, "OPTIONS, POST") == (status, headers["allow"])


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("", False),
        ("0.0.0.0", False),  # noqa: S104
        ("localhost.evil.org", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, expected: bool) -> None:
    assert expected == is_loopback(host)
