"""Every setting: its name, default and meaning, in one table that docs and tests read.

Values come from the environment alone; a secret also from the file that ``<NAME>_FILE``
names. A bad value stops the start with its name, the problem and an example.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qs, urlsplit

from django.core.exceptions import ImproperlyConfigured

from timeline.store.elasticsearch.address import EXAMPLE as SHARED_STORE
from timeline.store.elasticsearch.address import read_address

POSTGRES = ("postgres", "postgresql")
_POSTGRES_OPTIONS = {"sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs"}
_BROKERS = ("amqp", "amqps", "redis", "rediss")


class Setting(NamedTuple):
    """One line of the table; ``parse`` raises ``ValueError`` with what is wrong."""

    name: str
    default: str
    parse: Callable[[str], Any]
    example: str
    help: str
    secret: bool = False


def _port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise ValueError("a port lies between 1 and 65535")
    return number


def _between(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError(f"it must lie between {low:,} and {high:,}")
        return number

    return parse


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _origins(text: str) -> list[str]:
    for origin in _list(text):
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path:
            raise ValueError(f"{origin!r} is not an origin")
    return _list(text)


def _store(text: str) -> str:
    if text.startswith(("elasticsearch://", "elasticsearch+https://")):
        read_address(text)
    elif text != "tantivy" and not text.startswith("tantivy:///"):
        raise ValueError(f"it must be tantivy, tantivy:///a/folder, or {SHARED_STORE}")
    return text


def _database(text: str) -> str:
    if not text or text.startswith("sqlite:///"):
        return text
    parts = _url(text, "sqlite:///a/file or postgres://user:password@host:5432/database", *POSTGRES)
    if not parts.path.strip("/") or "/" in parts.path[1:]:
        raise ValueError("it names no database: postgres://user:password@host:5432/database")
    unknown = sorted(parse_qs(parts.query).keys() - _POSTGRES_OPTIONS)
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)} is no option here; {', '.join(sorted(_POSTGRES_OPTIONS))} are"
        )
    return text


def _broker(text: str) -> str:
    if text in ("filesystem://", "filesystem:///"):
        return text
    parts = _url(
        text, "filesystem://, amqp://user:password@host:5672/vhost or redis://host:6379/0", *_BROKERS
    )
    if parts.scheme.startswith("redis") and not (parts.path.strip("/") or "0").isdecimal():
        raise ValueError("the path of a Redis URL is the number of its database: redis://host:6379/0")
    return text


def _url(text: str, wanted: str, *schemes: str) -> SplitResult:
    """The parts of a server's URL; nothing of it is ever shown, since it may hold a password."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(
            "it is not a URL; write special characters of a password as %XX (@ is %40, / is %2F)"
        ) from error
    if parts.scheme not in schemes:
        raise ValueError(f"it must be {wanted}")
    if not parts.hostname or port == 0:
        raise ValueError(f"it names no host: {wanted}")
    return parts


def _level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("it must be DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def _one_of(*known: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in known:
            raise ValueError(f"it must be {' or '.join(known)}")
        return text

    return parse


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise ValueError("a share lies between 0 and 1")
    return share


TABLE = (
    Setting("THROUGHLINE_DATA_DIR", "var", Path, "/var/lib/throughline", "folder of inbox, index, database and secret"),
    Setting("THROUGHLINE_NODE", "", str, "node-a", "name of this node; the host's name where empty"),
    Setting("THROUGHLINE_RECEIVER_HOST", "127.0.0.1", str, "0.0.0.0", "address the receiver listens on; beyond loopback every sender needs an ingest key"),  # noqa: S104
    Setting("THROUGHLINE_RECEIVER_PORT", "4318", _port, "4318", "port of OTLP/HTTP and CloudEvents"),
    Setting("THROUGHLINE_GRPC_PORT", "4317", _between(0, 65535), "4317", "port of OTLP/gRPC, on the receiver's address; 0 for none"),
    Setting("THROUGHLINE_WEB_HOST", "127.0.0.1", str, "0.0.0.0", "address the dashboard listens on"),  # noqa: S104
    Setting("THROUGHLINE_WEB_PORT", "8700", _port, "8700", "port of the dashboard and the HTTP API"),
    Setting("THROUGHLINE_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]", _list, "trace.example.org", "host names the dashboard answers to"),
    Setting("THROUGHLINE_CORS_ORIGINS", "", _origins, "https://shop.example.org", "origins whose browsers may send to the receiver"),
    Setting("THROUGHLINE_RETENTION_DAYS", "14", _between(1, 3650), "30", "days a fact is kept, by its own time"),
    Setting("THROUGHLINE_STORE_URL", "tantivy", _store, SHARED_STORE, "where facts are stored: a folder (in the data folder by default), or an Elasticsearch cluster", secret=True),
    Setting("THROUGHLINE_BROKER_URL", "filesystem://", _broker, "amqp://user:password@rabbitmq:5672/throughline", "Celery's broker, which carries hints only: filesystem, amqp, amqps, redis or rediss", secret=True),
    Setting("DATABASE_URL", "", _database, "postgres://user:password@db:5432/throughline", "relational database, PostgreSQL or SQLite; a file in the data folder where empty", secret=True),
    Setting("THROUGHLINE_SECRET_KEY", "", str, "50 random characters", "signs sessions; made once in the data folder where empty", secret=True),
    Setting("THROUGHLINE_MAX_BODY_MIB", "64", _between(1, 1024), "64", "largest request body, also after decompression"),
    Setting("THROUGHLINE_MAX_ITEMS", "100000", _between(1, 10_000_000), "100000", "most items in one request"),
    Setting("THROUGHLINE_INBOX_MAX_MIB", "4096", _between(16, 10_000_000), "4096", "inbox size beyond which senders get 503 until it drains"),
    Setting("THROUGHLINE_QUOTA_ITEMS", "0", _between(0, 10**9), "5000", "items a second that one sender may send to each receiver, ten seconds' worth at once, where its key says nothing else; 0 for no limit"),
    Setting("THROUGHLINE_RECEIVER_THREADS", "24", _between(1, 512), "24", "requests the receiver handles at once"),
    Setting("THROUGHLINE_WORKER_THREADS", "2", _between(1, 64), "2", "batches the worker drains at once"),
    Setting("THROUGHLINE_DECODER", "auto", _one_of("auto", "python"), "python", "what decodes spans: the native decoder where it is installed (`make native`), or Python alone; both store the same"),
    Setting("THROUGHLINE_LOG_LEVEL", "INFO", _level, "DEBUG", "least severe line that is logged"),
    Setting("THROUGHLINE_LOG_FORMAT", "line", _one_of("line", "json"), "json", "lines for people, or one JSON object a line"),
    Setting("THROUGHLINE_OWN_TRACES", "0", _share, "0.01", "share of the node's own work that it sends as spans to its own receiver, 0 to 1; never about those spans themselves"),
    Setting("THROUGHLINE_OWN_KEY", "", str, "tl_ingest_...", "ingest key for them, where the receiver listens beyond loopback", secret=True),
)  # fmt: skip


def read(environ: dict[str, str] | None = None) -> dict[str, Any]:
    """Every setting by name, parsed; raises ``ImproperlyConfigured`` with the remedy."""
    source = dict(os.environ) if environ is None else environ
    values = {setting.name: _value(setting, source) for setting in TABLE}
    values["THROUGHLINE_NODE"] = values["THROUGHLINE_NODE"] or socket.gethostname()
    values["THROUGHLINE_DATA_DIR"] = values["THROUGHLINE_DATA_DIR"].absolute()
    known = {setting.name for setting in TABLE} | {
        f"{setting.name}_FILE" for setting in TABLE if setting.secret
    }
    for name in sorted(source):
        if name.startswith("THROUGHLINE_") and name not in known:
            raise ImproperlyConfigured(f"{name} is not a setting; docs/settings.md lists them all")
    return values


def _value(setting: Setting, source: dict[str, str]) -> Any:
    text = source.get(setting.name, "")
    file = source.get(f"{setting.name}_FILE", "") if setting.secret else ""
    if file and not text:
        try:
            text = Path(file).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{setting.name}_FILE={file!r} cannot be read: {error}") from error
    try:
        return setting.parse(text or setting.default)
    except ValueError as error:
        shown = "its value" if setting.secret else repr(text)
        raise ImproperlyConfigured(
            f"{setting.name}: {shown} is no good: {error}; for example {setting.name}={setting.example}"
        ) from error
