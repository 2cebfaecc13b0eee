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
        ("THROUGHLINE_BROKER_URL", "somewhere", "URL"),
        ("DATABASE_URL", "mysql://u:secret@h/d", "sqlite"),
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


def test_a_secret_is_never_shown_in_an_error() -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        env.read({"DATABASE_URL": "mysql://u:hunter2@h/d"})
    assert "hunter2" not in str(caught.value)


def test_a_mistyped_name_stops_the_start() -> None:
    with pytest.raises(ImproperlyConfigured, match="THROUGHLINE_RETENTON_DAYS"):
        env.read({"THROUGHLINE_RETENTON_DAYS": "3"})


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("s3cret\n")
    assert "s3cret" == env.read({"THROUGHLINE_SECRET_KEY_FILE": str(file)})["THROUGHLINE_SECRET_KEY"]


def test_a_missing_secret_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="cannot be read"):
        env.read({"THROUGHLINE_SECRET_KEY_FILE": str(tmp_path / "none")})
