"""Settings come from the environment and are refused with a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env


def test_every_default_is_valid() -> None:
    assert {setting.name for setting in env.TABLE} == set(env.read({}))


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("THROUGHLINE_RECEIVER_PORT", "70000", "between 1 and 65535"),
        ("THROUGHLINE_RECEIVER_PORT", "http", "invalid literal"),
        ("THROUGHLINE_RETENTION_DAYS", "0", "between 1 and 3,650"),
        ("THROUGHLINE_STORE_URL", "mysql://", "tantivy"),
        ("THROUGHLINE_CORS_ORIGINS", "shop.example.org", "not an origin"),
        ("THROUGHLINE_LOG_LEVEL", "LOUD", "DEBUG, INFO"),
        ("THROUGHLINE_BROKER_URL", "somewhere", "filesystem://, amqp://"),
        ("THROUGHLINE_BROKER_URL", "kafka://broker:9092", "filesystem://, amqp://"),
        ("THROUGHLINE_BROKER_URL", "amqp://", "names no host"),
        ("THROUGHLINE_BROKER_URL", "amqp://u:p@h:99999//", "%40"),
        ("THROUGHLINE_BROKER_URL", "redis://h/hints", "number of its database"),
        ("DATABASE_URL", "mysql://u:secret@h/d", "sqlite"),
        ("DATABASE_URL", "postgres://u:secret@h:5432", "names no database"),
        ("DATABASE_URL", "postgres://u:p@ss/word@h/d", "names no database"),
        ("DATABASE_URL", "postgres:///d", "names no host"),
        ("DATABASE_URL", "postgres://u:p@h/d?schema=x", "schema is no option"),
    ],
)
def test_a_bad_value_names_the_setting_the_problem_and_an_example(
    name: str, value: str, problem: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        env.read({name: value})
    assert name in str(caught.value)
    assert problem in str(caught.value)
    assert "for example" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u:hunter2@h/d"),
        ("DATABASE_URL", "postgres://u:hunter2@h:x/d"),
        ("THROUGHLINE_BROKER_URL", "kafka://u:hunter2@h"),
        ("THROUGHLINE_BROKER_URL", "amqp://u:p/hunter2@h"),
    ],
)
def test_a_secret_is_never_shown_in_an_error(name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        env.read({name: value})
    assert "hunter2" not in str(caught.value)


def test_a_mistyped_name_stops_the_start() -> None:
    with pytest.raises(ImproperlyConfigured, match="THROUGHLINE_RETENTON_DAYS"):
        env.read({"THROUGHLINE_RETENTON_DAYS": "3"})


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("s3cret\n")
    assert "s3cret" == env.read({"THROUGHLINE_SECRET_KEY_FILE": str(file)})["THROUGHLINE_SECRET_KEY"]


@pytest.mark.parametrize("name", ["DATABASE_URL", "THROUGHLINE_BROKER_URL"])
def test_urls_with_passwords_can_come_from_files(name: str, tmp_path: Path) -> None:
    file = tmp_path / "url"
    url = "postgres://u:p@h/d" if name == "DATABASE_URL" else "amqp://u:p@h//"
    file.write_text(f"{url}\n")
    assert url == env.read({f"{name}_FILE": str(file)})[name]


def test_a_missing_secret_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="cannot be read"):
        env.read({"THROUGHLINE_SECRET_KEY_FILE": str(tmp_path / "none")})
