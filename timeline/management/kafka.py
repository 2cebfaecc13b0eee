"""What the commands for Kafka share: topics with commas, and a file of librdkafka settings."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from django.core.management.base import CommandError, CommandParser


def add_connection(parser: CommandParser) -> None:
    """``--brokers`` and ``--config``."""
    parser.add_argument("--brokers", default="", help="host:port of some brokers, with commas")
    parser.add_argument(
        "--config", type=Path, help="a file of librdkafka settings (TLS, SASL), one name=value a line"
    )


def names(text: str) -> list[str]:
    """The names of a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def settings_of(brokers: str, file: Path | None, ours: Container[str]) -> dict[str, str]:
    """The client's settings; raises ``CommandError`` with the line at fault, never with its value, and where
    no broker is named."""
    config = _read(file, ours)
    if brokers:
        config["bootstrap.servers"] = brokers
    if not config.get("bootstrap.servers"):
        raise CommandError(
            "where is Kafka? --brokers host:9092, or bootstrap.servers in the file of --config"
        )
    return config


def _read(file: Path | None, ours: Container[str]) -> dict[str, str]:
    if file is None:
        return {}
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise CommandError(f"line {number} of {file} is not name=value, like sasl.mechanisms=PLAIN")
        if name in ours or name == "group.id":
            raise CommandError(f"line {number} of {file}: {name} is not yours to set")
        found[name] = value
    return found
