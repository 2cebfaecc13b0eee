"""Where settings become objects: one inbox and one store per process, made on first use."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

from django.conf import settings

from timeline import records, redactions
from timeline.inbox.inbox import Inbox
from timeline.ingest.facts import Make
from timeline.reading.desk import Desk
from timeline.store import ready
from timeline.store.port import Store
from timeline.store.tantivy import TantivyStore

_one_writer = threading.Lock()


@cache
def inbox() -> Inbox:
    """This node's inbox."""
    return Inbox(Path(settings.DATA_DIR) / "inbox.sqlite3")


@cache
def reader() -> Store:
    """The store, for questions."""
    return _store(writable=False)


def writer() -> Store:
    """The store, for a process that writes: of a folder only one can, the worker."""
    with _one_writer:  # several threads ask at once when a worker starts
        return _writer()


@cache
def _writer() -> Store:
    return _store(writable=True)


@cache
def reading() -> Desk:
    """Where every question is answered."""
    values = settings.THROUGHLINE
    return Desk(
        reader(),
        inbox(),
        node=values["THROUGHLINE_NODE"],
        retention_days=values["THROUGHLINE_RETENTION_DAYS"],
        rules=lambda workspace: records.rules(workspace).attributes,
        asking=redactions.asking,
    )


def decoder() -> Make | None:
    """The native decoder, where it is installed and wanted."""
    return None if settings.THROUGHLINE["THROUGHLINE_DECODER"] == "python" else ready.make


def _store(*, writable: bool) -> Store:
    url: str = settings.THROUGHLINE["THROUGHLINE_STORE_URL"]
    return open_store(url, writable=writable)


def open_store(url: str, *, writable: bool) -> Store:
    """The store at an address as ``THROUGHLINE_STORE_URL`` takes it, made where it is missing.

    Only a folder tells one that writes from one that reads: of a cluster every process may do both.
    """
    if url.startswith("elasticsearch"):
        # here, since a node on a folder has no use for what this loads
        from timeline.store.elasticsearch.store import ElasticsearchStore

        retention = settings.THROUGHLINE["THROUGHLINE_RETENTION_DAYS"]
        shared = ElasticsearchStore(url, retention_days=retention)
        if writable:  # one that reads looks when it is asked: until then the cluster may be away
            shared.prepare()
        return shared
    folder = Path(url.removeprefix("tantivy://")) if "://" in url else Path(settings.DATA_DIR) / "index"
    store = TantivyStore(folder, writable=writable)
    store.prepare()
    return store
