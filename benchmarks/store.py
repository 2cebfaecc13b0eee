"""The floor: how fast the engine itself takes the same documents, made beforehand."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import tantivy

from benchmarks.corpus import PER_REQUEST, accepted, requests
from timeline.ingest.decode import decode
from timeline.ingest.entities import Rules
from timeline.store.codec import Codec, Packer
from timeline.store.fields import Draft
from timeline.store.tantivy.schema import SCHEMA, document, draft
from timeline.store.tantivy.shelf import FolderShelf

HEAP = 128 << 20
_MOST = 100_000  # documents held in memory at once


def floor(facts: int) -> dict[str, Any]:
    """Documents per second into a bare index, one commit at the end; making them is not counted."""
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        documents = _documents(min(facts, _MOST), _packer(Path(folder)))
        writer = tantivy.Index(SCHEMA, path=folder).writer(heap_size=HEAP)
        began = time.perf_counter()
        for one in documents:
            writer.add_json(one)
        writer.commit()
        seconds = time.perf_counter() - began
        writer.wait_merging_threads()
    return {"documents": len(documents), "per_second": round(len(documents) / seconds)}


def _packer(folder: Path) -> Packer:
    packer = Packer(Codec(FolderShelf(folder)))
    packer.start()
    return packer


def _documents(count: int, packer: Packer) -> list[str]:
    rules = Rules.default()
    made = []
    for number, body in enumerate(requests(count // PER_REQUEST, start=time.time_ns() - 10**12)):
        facts = decode(accepted(number, body, received=time.time_ns()), rules).facts
        drafts = [one for one in map(draft, facts) if isinstance(one, Draft)]
        blobs = packer.pack([one.packed for one in drafts])
        made.extend(document(one, blob) for one, blob in zip(drafts, blobs, strict=True))
    return made
