"""Each detector by what it must find and what it must leave alone."""

from __future__ import annotations

import time

import pytest

from timeline.redaction.detectors import DETECTORS

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
FOUND = [
    ("card", "4111111111111111", ["4111111111111111"]),
    ("card", "paid with 4111 1111 1111 1111 today", ["4111111111111111"]),
    ("card", "4111-1111-1111-1111", ["4111111111111111"]),
    ("card", "nr=4111+1111+1111+1111&x", ["4111111111111111"]),
    ("card", "4111%201111%201111%201111", ["4111111111111111"]),
    ("card", "378282246310005 and 3782 822463 10005", ["378282246310005"] * 2),
    ("card", "PAN:5555555555554444;", ["5555555555554444"]),
    ("card", "2223003122003222 6011111111111117 3530111333300000 30569309025904", 4),
    ("card", "4111\uff11\uff11\uff11\uff1111111111", ["4111111111111111"]),
    ("card", '{"pan":"4111111111111111"}', 1),
    ("email", "mail Ann.O'Neil+x@Example.co.uk now", ["ann.o'neil+x@example.co.uk"]),
    ("email", "to=ann%40example.org&", ["ann@example.org"]),
    ("email", "müller@exämple.de", ["müller@exämple.de"]),
    ("bearer", "Authorization: Bearer abc.def-123", ["abc.def-123"]),
    ("bearer", "authorization: Digest xyz, later bearer abcdefgh12", ["Digest xyz", "abcdefgh12"]),
    ("bearer", "got bearer ABCDEFGH12345678 back", ["ABCDEFGH12345678"]),
    ("bearer", "Bearer%20abcdefgh1234", ["abcdefgh1234"]),
    ("bearer", "Basic YW5uOnNlY3JldA==", ["YW5uOnNlY3JldA=="]),
    ("bearer", '{"authorization": "Digest username=x"}', 1),
    ("bearer", 'proxy-authorization=Negotiate YII="', 1),
    ("jwt", f"token {JWT}!", [JWT]),
    ("jwt", f"{JWT}.more", 1),
    ("url", "postgres://ann:pw@db:5432/x", ["ann:pw"]),
    ("url", "https://ghp@host/", ["ghp"]),
    ("url", "amqp://u:p@ss@host", ["u:p@ss"]),
    ("url", "url=https%3A%2F%2Fann%3Apw%40host", 1),
    ("token", "key AKIAIOSFODNN7EXAMPLE", ["AKIAIOSFODNN7EXAMPLE"]),
    ("token", "ghp_" + "a" * 36, 1),
    ("token", "xoxb-1234567890-abcdef", 1),
    ("token", "sk" + "_live_" + "a1" * 12, 1),
    ("token", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", 1),
]
LEFT = [
    ("card", "4111111111111112"),  # wrong check digit
    ("card", "1790000000000000000"),  # a time in ns
    ("card", "0.4111111111111111"),  # a fraction
    ("card", "a4111111111111111bcdef0123456789"),  # part of a trace id
    ("card", "order 1234567812345670"),  # no issuer begins with 1
    ("card", "0000000000000000"),
    ("email", "me@localhost"),
    ("email", "@decorator.here"),
    ("bearer", "the bearer of news"),
    ("bearer", "basic instructions for everybody"),
    ("jwt", "eyJustText.and"),
    ("url", "https://example.org/a@b"),
    ("url", "https://example.org/?mail=a@b"),
    ("token", "AKIA is a prefix"),
]


@pytest.mark.parametrize(("name", "text", "secrets"), FOUND)
def test_what_each_finds(name: str, text: str, secrets: list[str] | int) -> None:
    found = [find.secret for find in DETECTORS[name].find(text)]

    if isinstance(secrets, int):
        assert secrets == len(found)
    else:
        assert secrets == found


@pytest.mark.parametrize(("name", "text"), LEFT)
def test_what_each_leaves_alone(name: str, text: str) -> None:
    assert [] == list(DETECTORS[name].find(text))


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize(
    "piece",
    [
        "4",
        "4111 ",
        "a@",
        "a.",
        "eyJaaaaaa.",
        "://a",
        "://",
        "%40",
        "authorization: ",
        "bearer ",
        "-----BEGIN ",
        "_",
    ],
)
def test_a_hostile_text_costs_no_more_than_its_length(name: str, piece: str) -> None:
    def cost(size: int) -> float:
        text = piece * (size // len(piece))
        began = time.thread_time()
        for _ in DETECTORS[name].find(text):
            pass
        return time.thread_time() - began

    small = max(cost(20_000), 0.002)

    large = min(cost(160_000) for _ in range(3))  # now and then the garbage of other tests is collected
    assert large < 40 * small  # eight times as long; a square would be sixty-four
