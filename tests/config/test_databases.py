"""What ``DATABASE_URL`` means to Django."""

from __future__ import annotations

from pathlib import Path

from config.databases import database

DATA = Path("/data")


def test_nothing_said_means_a_file_in_the_data_folder() -> None:
    assert "/data/throughline.sqlite3" == database("", DATA)["NAME"]
    assert "/srv/other.sqlite3" == database("sqlite:////srv/other.sqlite3", DATA)["NAME"]


def test_every_part_of_a_postgres_url_is_used_and_unquoted() -> None:
    found = database("postgresql://us%40er:p%2Fw@db.example.org:6543/facts?sslmode=require", DATA)
    expected = ("django.db.backends.postgresql", "us@er", "p/w", "db.example.org", 6543, "facts")
    assert expected == tuple(found[key] for key in ("ENGINE", "USER", "PASSWORD", "HOST", "PORT", "NAME"))
    assert "require" == found["OPTIONS"]["sslmode"]


def test_the_usual_port_is_assumed_and_a_hanging_server_is_not_waited_for() -> None:
    found = database("postgres://u:p@h/d", DATA)
    assert (5432, 3) == (found["PORT"], found["OPTIONS"]["connect_timeout"])
