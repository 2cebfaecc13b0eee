"""What a doctor looks at: every part of a node, each alone, none changed, and what would help."""

from __future__ import annotations

import importlib.metadata
import os
import re
import resource
import shutil
import sqlite3
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

import msgspec
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Sum
from django.utils import timezone
from google.protobuf.internal import api_implementation
from kombu.connection import Connection
from kombu.exceptions import OperationalError

from timeline import wiring
from timeline.errors import ThroughlineError
from timeline.inbox.books import backlog
from timeline.inbox.schema import RESERVE, VERSION
from timeline.models import Lease, Node, Quarantined, Token
from timeline.reading.nodes import SILENT
from timeline.store.ready import make

PATIENCE: Final = 5.0  # seconds for each look
_ROOM: Final = 2 << 30  # bytes of free disk below which it is time to think of more
_FILES: Final = 1024  # open files a node needs at the least
_SLOW: Final = 60 * 10**9  # ns the oldest request may wait before it is worth a word
_LATE: Final = 3 * 3600 * 10**9  # ns since a periodic task was done; the rarest is hourly
_SOON: Final = timedelta(days=14)
_NETWORK: Final = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs")
State = Literal["ok", "warning", "problem"]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    part: str
    state: State
    sentence: str
    remedy: str = ""


Found = tuple[State, str, str]


def examine(patience: float = PATIENCE) -> Iterator[Said]:
    """Look at every part in turn, ``patience`` seconds each: what fails or hangs is told and ends no other."""
    for part, look in _LOOKS.items():
        for state, sentence, remedy in _patiently(look, patience):
            yield Said(part=part, state=state, sentence=sentence, remedy=remedy)


def _patiently(look: Callable[[], Iterator[Found]], patience: float) -> list[Found]:
    found: list[Found] = []

    def work() -> None:
        try:
            found.extend(look())
        except ThroughlineError as error:
            found.append(("problem", error.message, error.remedy))
        except Error:
            found.append(("warning", "cannot be told without the database", "see the database"))
        except Exception as error:  # noqa: BLE001 - a part that is broken in a way nobody thought of is a finding
            found.append(("problem", f"{type(error).__name__}: {error}"[:300], "look at what this says"))
        finally:
            connection.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(patience)
    if thread.is_alive():
        return [("problem", f"no answer within {patience:g} s", "look whether it runs, and the way to it")]
    return found


def _software() -> Iterator[Found]:
    yield "ok", f"Python {sys.version.split()[0]}", ""
    if api_implementation.Type() != "upb":
        yield (
            "problem",
            f"protobuf decodes with {api_implementation.Type()}, not upb",
            "install the wheel of this platform: hostile input is bounded only there",
        )
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==([^ \\]+)", _requirements().read_text(), re.MULTILINE)
    other = [f"{name} {_installed(name)}, not {version}" for name, version in pins if _installed(name) not in (version, "")]  # fmt: skip
    missing = [name for name, _ in pins if not _installed(name)]
    if settings.THROUGHLINE["THROUGHLINE_DECODER"] == "auto":
        fast = (
            "spans are decoded natively" if make else "spans are decoded in Python; `make native` is faster"
        )
        yield "ok", fast, ""
    if missing:
        yield "problem", f"not installed: {', '.join(missing[:5])}", "pip install -r requirements.txt"
    if other:
        yield (
            "warning",
            f"other versions than tested: {', '.join(other[:5])}",
            "pip install -r requirements.txt",
        )


def _requirements() -> Path:
    return Path(settings.BASE_DIR) / "requirements.txt"


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _folder() -> Iterator[Found]:
    folder = Path(settings.DATA_DIR)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield "problem", f"{folder} cannot be written", "give it to the user that runs Throughline"
    kind = _filesystem(folder)
    if kind in _NETWORK:
        yield (
            "problem",
            f"{folder} is on {kind}: locks and fsync of a network disk are not to be trusted",
            "put THROUGHLINE_DATA_DIR on a disk of this machine",
        )
    free = shutil.disk_usage(folder).free
    said = f"{folder}, {free >> 20:,} MiB free"
    if free < RESERVE:
        yield "problem", f"{said}: nothing is acknowledged below {RESERVE >> 20} MiB", "make room"
    elif free < _ROOM:
        yield "warning", said, "make room, or shorten THROUGHLINE_RETENTION_DAYS"
    else:
        yield "ok", said, ""


def _filesystem(folder: Path) -> str:
    """The kind of file system a folder is on, empty where that cannot be told."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return ""
    place = folder.resolve()
    under = [(point, kind) for point, kind in mounts if place.is_relative_to(point)]
    return max(under, key=lambda each: len(each[0]))[1] if under else ""


def _inbox() -> Iterator[Found]:
    file = Path(settings.DATA_DIR) / "inbox.sqlite3"
    if not file.exists():
        yield "warning", "there is no inbox yet", "it is made with the first start: manage.py run"
        return
    opened = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=PATIENCE)
    try:
        (version,) = opened.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            yield "problem", f"the inbox was written by a newer version ({version})", "start that version"
            return
        if version < VERSION:
            yield "ok", "the inbox is of an older version: the next start brings it up to date", ""
            return
        (sound,) = opened.execute("PRAGMA quick_check(1)").fetchone()
        if sound != "ok":
            yield "problem", f"the inbox is damaged: {sound}", "keep a copy of it; see docs/operating.md"
            return
        waits = backlog(opened)
    except sqlite3.DatabaseError as error:
        yield "problem", f"the inbox is damaged: {error}", "keep a copy of it; see docs/operating.md"
        return
    finally:
        opened.close()
    age = time.time_ns() - (waits.oldest or time.time_ns())
    said = f"{waits.items:,} items wait, the oldest for {age // 10**9:,} s" if waits.requests else "empty"
    late = age > _SLOW
    yield (
        ("warning" if late else "ok"),
        said,
        "see whether the worker runs and the store answers" if late else "",
    )


def _database() -> Iterator[Found]:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error as error:
        said = " ".join(str(error).split())[:200]
        yield (
            "problem",
            f"{connection.vendor} does not answer: {said}",
            "see whether it runs, and DATABASE_URL",
        )
        return
    if missing:
        yield (
            "problem",
            f"{connection.vendor}: {len(missing)} migrations are missing",
            "manage.py migrate, or start manage.py run, which does",
        )
        return
    yield "ok", f"{connection.vendor}, migrated", ""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
            apart = abs(float(cursor.fetchone()[0]) - time.time())
        if apart > 2:
            yield "warning", f"its clock and ours are {apart:.1f} s apart", "let NTP keep both"


def _store() -> Iterator[Found]:
    url: str = settings.THROUGHLINE["THROUGHLINE_STORE_URL"]
    store = wiring.reader()
    store.check()
    size = store.size()
    yield (
        "ok",
        f"{url.partition(':')[0]}: {', '.join(f'{value:,} {name}' for name, value in size.items())}",
        "",
    )


def _broker() -> Iterator[Found]:
    url: str = settings.THROUGHLINE["THROUGHLINE_BROKER_URL"]
    scheme = url.partition(":")[0]
    if scheme == "filesystem":
        yield "ok", "a folder of this node", ""
        return
    broker = Connection(url, connect_timeout=PATIENCE / 2, ssl=scheme in ("amqps", "rediss"))  # type: ignore[no-untyped-call]
    try:
        with broker:
            broker.ensure_connection(max_retries=1, timeout=PATIENCE / 2)  # type: ignore[no-untyped-call]
    except (OSError, OperationalError, *broker.connection_errors) as error:
        yield (
            "warning",
            f"{scheme} does not answer: {error}",
            "nothing is lost without it, hints are late: see whether it runs, and THROUGHLINE_BROKER_URL",
        )
        return
    yield "ok", f"{scheme} answers", ""


def _processes() -> Iterator[Found]:
    now, own = time.time_ns(), settings.THROUGHLINE["THROUGHLINE_NODE"]
    rows = list(Node.objects.order_by("name", "role"))
    for row in rows:
        if now - row.beat > SILENT:
            yield (
                "problem",
                f"the {row.role} of {row.name} has been silent for {(now - row.beat) // 10**9:,} s",
                f"start it again, or manage.py retire {row.name}",
            )
    up = sum(now - row.beat <= SILENT for row in rows)
    if not any(row.name == own for row in rows):
        yield "warning", f"nothing of this node ({own}) ever ran", "manage.py run"
    elif up:
        yield "ok", f"{up} of {len(rows)} up", ""


def _addresses() -> Iterator[Found]:
    for name in ("RECEIVER", "WEB"):
        host = settings.THROUGHLINE[f"THROUGHLINE_{name}_HOST"]
        port = settings.THROUGHLINE[f"THROUGHLINE_{name}_PORT"]
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - asked, not listened on
        try:
            with urllib.request.urlopen(f"http://{host}:{port}/healthz", timeout=PATIENCE / 2) as answer:
                ours = answer.read(64).strip() == b"ok"
        except OSError as error:
            yield "warning", f"nothing answers at {host}:{port}: {error}", "manage.py run"
            continue
        if ours:
            yield "ok", f"{name.lower()} answers at {host}:{port}", ""
        else:
            yield "problem", f"something else listens at {host}:{port}", f"set THROUGHLINE_{name}_PORT"


def _periodic() -> Iterator[Found]:
    now = time.time_ns()
    for lease in Lease.objects.filter(done__gt=0, done__lt=now - _LATE):
        yield (
            "warning",
            f"{lease.task} was last done {(now - lease.done) // 60_000_000_000:,} min ago",
            "see whether beat and worker run",
        )


def _kept() -> Iterator[Found]:
    kept = Quarantined.objects.filter(state=Quarantined.State.KEPT)
    count = kept.aggregate(items=Sum("items"))["items"] or 0
    if count:
        yield (
            "warning",
            f"{count:,} items could not be stored",
            "look at /senders/quarantine: replay them after a fix, or discard them",
        )
    else:
        yield "ok", "nothing in quarantine", ""


def _keys() -> Iterator[Found]:
    now = timezone.now()
    live = Token.objects.filter(revoked=None)
    for token in live.filter(expires__gt=now, expires__lt=now + _SOON).order_by("expires")[:20]:
        assert token.expires is not None  # noqa: S101 - asked for above
        yield (
            "warning",
            f"the key {token.prefix}… of {token.name} ends on {token.expires:%d %b %Y}",
            f"manage.py token rotate {token.prefix}",
        )


def _limits() -> Iterator[Found]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _FILES:
        yield "problem", f"at most {soft} open files", f"ulimit -n {_FILES * 4}, or LimitNOFILE of the unit"
    else:
        yield "ok", f"{soft:,} open files allowed", ""
    secret = Path(settings.DATA_DIR) / "secret_key"
    if secret.exists() and secret.stat().st_mode & 0o077:
        yield "problem", f"others can read {secret}", f"chmod 600 {secret}"


_LOOKS: Final[dict[str, Callable[[], Iterator[Found]]]] = {
    "software": _software,
    "data folder": _folder,
    "inbox": _inbox,
    "database": _database,
    "store": _store,
    "broker": _broker,
    "processes": _processes,
    "addresses": _addresses,
    "periodic tasks": _periodic,
    "quarantine": _kept,
    "keys": _keys,
    "limits": _limits,
}
