"""The index folder: making, opening and recognising it, and its failures in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import tantivy

from timeline.errors import StoreUnavailable, ThroughlineError
from timeline.store.tantivy.schema import SCHEMA, SCHEMA_VERSION
from timeline.store.tantivy.shelf import write_durably

LABEL: Final = "throughline-index.json"
META: Final = "meta.json"


@contextmanager
def engine(doing: str, remedy: str = "") -> Iterator[None]:
    """Turn whatever the engine or the disk raises into ``StoreUnavailable``."""
    try:
        yield
    except ThroughlineError:
        raise
    except (ValueError, OSError, RuntimeError, SystemError) as error:
        raise _unavailable(doing, remedy, error) from error
    except BaseException as error:
        # A panic of the engine is no Exception, so that nobody swallows it by accident.
        if type(error).__name__ != "PanicException":
            raise
        raise _unavailable(doing, remedy, error) from error


def _unavailable(doing: str, remedy: str, error: BaseException) -> StoreUnavailable:
    return StoreUnavailable(
        f"the embedded index failed while {doing}: {str(error)[:300]}",
        remedy=remedy
        or "check the disk of the index folder for free space and errors, then restart the worker",
    )


def _check_label(folder: Path) -> None:
    try:
        version = msgspec.json.decode((folder / LABEL).read_bytes(), type=dict[str, int]).get("schema")
    except FileNotFoundError as error:
        raise StoreUnavailable(
            f"{folder} holds an index that is not ours: it has no {LABEL}",
            remedy="point THROUGHLINE_STORE_URL at an empty folder",
        ) from error
    except (OSError, msgspec.DecodeError) as error:
        raise StoreUnavailable(
            f"{folder / LABEL} cannot be read",
            remedy="restore the index folder from its backup, or move it away to start empty",
        ) from error
    if version != SCHEMA_VERSION:
        raise StoreUnavailable(
            f"{folder} was written with index version {version}, this release reads {SCHEMA_VERSION}",
            remedy="run the release that wrote it, or move the folder away and send the facts again",
        )


def exists(folder: Path) -> bool:
    """Whether there is an index at all, ours or not."""
    return (folder / META).exists()


def create(folder: Path) -> None:
    """Make an empty index where there is none; harmless where there is one."""
    with engine(f"making {folder}", "make the folder writable for the worker's user"):
        folder.mkdir(parents=True, exist_ok=True)
        if not exists(folder):
            # The label first: an index without one is taken for somebody else's.
            write_durably(folder / LABEL, msgspec.json.encode({"schema": SCHEMA_VERSION}))
            tantivy.Index(SCHEMA, str(folder))
            _save_room(folder / META)


def _save_room(meta: Path) -> None:
    """Set, before anything is written, what the engine's builder has no words for.

    Lengths of texts serve ranking, which nobody asks for, at a byte per field and fact; and
    facts come compressed already.
    """
    settings = msgspec.json.decode(meta.read_bytes())
    settings["index_settings"]["docstore_compression"] = "none"
    for field in settings["schema"]:
        if field["type"] == "text":
            field["options"]["indexing"]["fieldnorms"] = False
    write_durably(meta, msgspec.json.encode(settings))


def open_index(folder: Path) -> tantivy.Index:
    """The index in ``folder``; raises ``StoreUnavailable`` with the remedy for any other state."""
    if not exists(folder):
        raise StoreUnavailable(
            f"there is no index in {folder} yet",
            remedy="start the worker once: it makes the index",
        )
    _check_label(folder)
    with engine(
        f"opening {folder}",
        "restore the index folder from its backup, or move it away to start empty",
    ):
        index = tantivy.Index.open(str(folder))
        index.config_reader("manual", 0)
        return index


def disk_bytes(folder: Path) -> int:
    """Bytes of all files of the index."""
    total = 0
    for path in folder.iterdir():
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # merged away meanwhile
            continue
    return total
