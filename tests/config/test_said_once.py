"""A broker that cannot be reached is spoken of once a minute, in one line that names the remedy."""

import logging
import sys

import amqp
import kombu.exceptions
import pytest
import redis
from celery.beat import SchedulingError

from config.said_once import SaidOnce

TRY = "consumer: Cannot connect to %s: %s.\n%s\n"
BEAT = "beat raised exception %s: %r"
LOGIN = "(403) ACCESS_REFUSED - Login was refused"


def _record(
    text: str, *args: object, error: Exception | None = None, name: str = "celery.worker"
) -> logging.LogRecord:
    info = None
    if error:
        try:
            raise error
        except type(error):
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


@pytest.mark.parametrize(
    "kind",
    [
        OSError,
        ConnectionRefusedError,
        kombu.exceptions.OperationalError,
        redis.AuthenticationError,
        amqp.AccessRefused,
    ],
)
def test_a_refused_login_of_the_clock_is_one_line_too(said: SaidOnce, kind: type[Exception]) -> None:
    record = _record(BEAT, "class", "...", error=kind(LOGIN))
    assert said.filter(record)
    assert record.exc_info is None
    assert "user, password and vhost" in record.getMessage()


def test_a_tick_that_a_broker_did_not_take_is_one_line_without_its_stack(said: SaidOnce) -> None:
    error = SchedulingError("Couldn't apply scheduled task watch: timed out")
    error.__context__ = kombu.exceptions.OperationalError("timed out")
    record = _record("Message Error: %s\n%s", error, ["a stack"], error=error)
    assert said.filter(record)
    assert record.exc_info is None
    assert "watch: timed out -- nothing is lost; check that the broker" in record.getMessage()
    assert "stack" not in record.getMessage()


def test_an_error_of_ours_that_came_while_a_broker_failed_keeps_its_stack(said: SaidOnce) -> None:
    error = KeyError("no such task")
    error.__context__ = kombu.exceptions.OperationalError("timed out")
    for _ in range(2):
        record = _record(BEAT, "class", "...", error=error)
        assert said.filter(record)
        assert error is (record.exc_info and record.exc_info[1])


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Received unregistered task", OSError(LOGIN)),
        (BEAT, KeyError("no such task")),
        (BEAT, PermissionError(13, "Permission denied", "var/beat")),
        (BEAT, None),
    ],
)
def test_everything_else_is_told_as_it_is(said: SaidOnce, text: str, error: Exception | None) -> None:
    for _ in range(2):
        args = ("class", "...") if text == BEAT else ()
        record = _record(text, *args, error=error)
        assert said.filter(record)
        assert (text, args) == (record.msg, record.args)
        assert error is (record.exc_info[1] if record.exc_info else None)
