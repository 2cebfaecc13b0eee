from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.guard import losses
from tracing.options import LONGEST_READ, Options, redacted


def test_nothing_is_captured_unless_it_is_asked_for() -> None:
    assert Options().captured(b"{}") is None
    assert Options(body=10).captured(None) is None


def test_a_captured_body_is_cut_where_it_was_told_to() -> None:
    assert "01234" == Options(body=5).captured("0123456789")


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"user":"ann","password":"p"}', '{"user":"ann","password":"[redacted]"}'),
        (b'{"a":[{"apiKey":1,"n":2}]}', '{"a":[{"apiKey":"[redacted]","n":2}]}'),
        (b'{"note":"card 4111 1111 1111 1111 ok"}', '{"note":"card [redacted] ok"}'),
        (b"pay 4111-1111-1111-1111 now", "pay [redacted] now"),
        (b"user=ann&password=p%26q;r&n=1", "user=ann&password=[redacted]&n=1"),
        (
            b"api%5Fkey=1&user%5Bpin%5D=2&user.cvv=3&a=4",
            "api%5Fkey=[redacted]&user%5Bpin%5D=[redacted]&user.cvv=[redacted]&a=4",
        ),
        (b"card%5Bnumber%5D=4&nr=4111+1111+1111+1111", "card%5Bnumber%5D=[redacted]&nr=[redacted]"),
        (b"GET /pay?token=abc&n=1 HTTP/1.1", "GET /pay?token=[redacted]&n=1 HTTP/1.1"),
        (b'{"form":"pin=1234&n=1"}', '{"form":"pin=[redacted]&n=1"}'),
        (b"a==b&=c", "a==b&=c"),
        (b'{"order":"123456789012"}', '{"order":"123456789012"}'),
    ],
)
def test_what_looks_like_a_secret_is_replaced_before_anything_is_cut(body: bytes, kept: str) -> None:
    assert kept == Options(body=1000).captured(body)


def test_the_application_has_the_last_word_on_what_is_kept() -> None:
    assert "***" == Options(body=3, redact=lambda text: text.replace("ann", "***")).captured("annabel")


def test_where_redaction_fails_nothing_is_kept() -> None:
    def broken(_: str) -> str:
        raise RuntimeError

    before = losses().get("message body", 0)
    assert Options(body=10, redact=broken).captured("text") is None
    assert before + 1 == losses()["message body"]


@pytest.mark.parametrize("body", [b"\xff\xfe", b"x" * (LONGEST_READ + 1), object()])
def test_what_cannot_be_redacted_whole_is_left_out(body: object) -> None:
    assert Options(body=10).captured(body) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"password":"p"',
        b'{"password":"p"}\n{"password":"q"}',
        b' \n[{"password":"p"},]',
        b'\xef\xbb\xbf{"password":"p"}',
        b"[" * 20_000,
        b'--x\r\nContent-Disposition: Form-Data; name="password"\r\n\r\np\r\n--x--',
    ],
)
def test_what_begins_like_json_and_is_none_is_left_out(body: bytes) -> None:
    before = losses().get("body too broken to be captured", 0)
    assert Options(body=1000).captured(body) is None
    assert before + 1 == losses()["body too broken to be captured"]


@given(st.text(max_size=100))
def test_redacting_never_raises(text: str) -> None:
    redacted(text)
