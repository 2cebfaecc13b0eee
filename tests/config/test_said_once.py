"""A broker that cannot be reached is spoken of once a minute, in one line that names the remedy."""

import logging
import sys

import pytest

from config.said_once import SaidOnce

TRY = "consumer: Cannot connect to %s: %s.\n%s\n"
LOGIN = "(403) ACCESS_REFUSED - Login was refused"


def _record(text: str, *args: object, error: bool = False, name: str = "celery.worker") -> logging.LogRecord:
    info = None
    if error:
        try:
            raise OSError(LOGIN)
        except OSError:
            info = sys.exc_info()
    return logging.LogRecord(name, logging.ERROR, "file", 1, text, args, info)


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def said(clock: list[float]) -> SaidOnce:
    return SaidOnce(lambda: clock[0])


def test_of_many_tries_one_is_told_each_minute(said: SaidOnce, clock: list[float]) -> None:
    told = []
    for second in range(121):
        clock[0] = float(second)
        told += [second] * said.filter(_record(TRY, "amqp://x", LOGIN, "Trying again"))
        told += [second] * said.filter(_record("Frequent restarts detected: %r", "..."))
    assert [0, 60, 120] == told


@pytest.mark.parametrize(
    ("why", "remedy"),
    [(LOGIN, "user, password and vhost"), ("[Errno 111] Connection refused", "can be reached")],
)
def test_the_line_names_the_remedy(said: SaidOnce, why: str, remedy: str) -> None:
    record = _record(TRY, "amqp://x", why, "Trying again in 2 s")
    assert said.filter(record)
    assert why in record.getMessage()
    assert remedy in record.getMessage()
    assert "\n" not in record.getMessage()


def test_a_refused_login_of_the_clock_is_one_line_too(said: SaidOnce) -> None:
    record = _record("beat raised exception %s: %r", "class", "...", error=True)
    assert said.filter(record)
    assert record.exc_info is None
    assert "user, password and vhost" in record.getMessage()


def test_everything_else_is_told_as_it_is(said: SaidOnce) -> None:
    for _ in range(2):
        record = _record("Received unregistered task", error=True)
        assert said.filter(record)
        assert record.exc_info
