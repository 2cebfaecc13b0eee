"""Summaries of entities: a small index of its own beside the facts, one document each.

It lies in the folder ``entities`` of the facts' index, so both are moved and restored
together. Exact tokens share one field, the order is in integer columns, the summary itself
is one value. A summary is replaced by deleting its token and adding it in one commit.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import msgspec
import tantivy
from tantivy import Occur

from timeline.errors import StoreUnavailable
from timeline.search.tokens import safe
from timeline.store.asking import check_cohort, chunks
from timeline.store.codec import Codec
from timeline.store.cursor import cohort_asked, read_cursor, write_cursor
from timeline.store.integers import clamp
from timeline.store.port import Cohort, CohortQuery, Summary
from timeline.store.tantivy import folder
from timeline.store.tantivy.compile import between, matches
from timeline.store.tantivy.ordering import Ordering, Place
from timeline.store.tantivy.reader import Reader
from timeline.store.tantivy.schema import SCHEMA_VERSION
from timeline.store.tantivy.shelf import write_durably

FOLDER: Final = "entities"
HEAP: Final = 20_000_000  # bytes the engine gathers before it writes a segment by itself
LOOKUP: Final = 2_000  # entities asked at a time
_ORDER: Final = ("quiet", "head")
_Q = tantivy.Query
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Summary).decode


def _build_schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("tokens", tokenizer_name="whitespace", index_option="basic")
    # ``head``: the first characters of the entity's id, so that few are left to order by name
    for name in ("quiet", "head", "last", "read"):
        builder.add_integer_field(name, fast=True)
    builder.add_bytes_field("summary", stored=True)
    return builder.build()


SCHEMA: Final = _build_schema()
_between = partial(between, schema=SCHEMA)


def _own(workspace: str, entity: str) -> str:
    """The one token that only this entity's summary has."""
    return f"i{safe(workspace)}\0{safe(entity)}"


@lru_cache(maxsize=4096)
def _of_type(workspace: str, kind: str) -> str:
    return f"t{safe(workspace)}\0{safe(kind)}"


@lru_cache(maxsize=4096)
def _in_workspace(workspace: str) -> str:
    return f"w{safe(workspace)}"


@lru_cache(maxsize=4096)
def _step(name: str) -> str:
    return f"s{safe(name)}"


@lru_cache(maxsize=4096)
def _environment(name: str) -> str:
    return f"v{safe(name)}"


def _head(entity: str) -> int:
    """A number that orders ids of one type as their text does, but for those that begin alike."""
    start = entity.partition(":")[2].encode("utf-8", "surrogatepass")[:7]
    return int.from_bytes(start.ljust(7, b"\0"), "big")


def _document(summary: Summary) -> tantivy.Document:
    workspace = summary.workspace
    tokens = [
        _own(workspace, summary.entity),
        _of_type(workspace, summary.type),
        _in_workspace(workspace),
        *(_step(step.name) for step in summary.steps),
        *(_environment(name) for name in summary.environments),
    ]
    add = tantivy.Document()
    add.add_text("tokens", " ".join(tokens))
    add.add_integer("quiet", clamp(summary.quiet_since))
    add.add_integer("head", _head(summary.entity))
    add.add_integer("last", clamp(summary.last))
    add.add_integer("read", clamp(summary.read))
    add.add_bytes("summary", _encode(summary))
    return add


def _token(value: str) -> tantivy.Query:
    return _Q.term_query(SCHEMA, "tokens", value)


def _compiled(query: CohortQuery) -> tantivy.Query:
    parts = [(Occur.Must, _token(_of_type(query.workspace, query.type)))]
    parts += [(Occur.Must, _token(_step(name))) for name in query.reached]
    parts += [(Occur.MustNot, _token(_step(name))) for name in query.missing]
    if query.environment is not None:
        parts.append((Occur.Must, _token(_environment(query.environment))))
    if query.quiet_for is not None:
        parts.append((Occur.Must, _between("quiet", None, query.as_of - query.quiet_for)))
    return _Q.boolean_query(parts)


def _after(cursor: str, query: CohortQuery) -> Place:
    quiet, head, entity = read_cursor(cursor, cohort_asked(query), tuple[int, int, str])
    return Place(quiet, head, 0, entity)


def _cursor(summary: Summary, query: CohortQuery) -> str:
    place = (clamp(summary.quiet_since), _head(summary.entity), summary.entity)
    return write_cursor(place, cohort_asked(query))


class Entities:
    """The summaries of one index folder; safe for use by several threads.

    Any process may ask; only the one that writes the facts may put and expire.
    """

    def __init__(self, path: Path, codec: Codec) -> None:
        self._path = path / FOLDER
        self._reader = Reader(self._path, codec)
        self._engine: tantivy.IndexWriter | None = None
        self._writing = threading.Lock()

    def prepare(self) -> None:
        """Make the index where it is missing, and take its writer's lock."""
        with self._writing:
            self._writer()

    def _writer(self) -> tantivy.IndexWriter:
        """Holds ``_writing``."""
        if self._engine is None:
            with folder.engine(f"making {self._path}", "make the folder writable for the worker's user"):
                self._path.mkdir(parents=True, exist_ok=True)
                if not folder.exists(self._path):
                    write_durably(self._path / folder.LABEL, msgspec.json.encode({"schema": SCHEMA_VERSION}))
                    tantivy.Index(SCHEMA, str(self._path))
            index = folder.open_index(self._path)
            with folder.engine(
                f"opening {self._path} for writing",
                "stop the other worker on this folder: one process writes an embedded index",
            ):
                self._engine = index.writer(HEAP, 1)
        return self._engine

    def _commit(self, engine: tantivy.IndexWriter) -> None:
        """Make durable what was added; after a failure the engine is not trusted again."""
        try:
            with folder.engine("committing summaries"):
                engine.commit()
        except StoreUnavailable:
            self._engine = None
            raise

    def put(self, summaries: Sequence[Summary]) -> None:
        """Keep the latest read of each entity."""
        latest: dict[tuple[str, str], Summary] = {}
        for summary in summaries:
            key = (summary.workspace, summary.entity)
            there = latest.get(key)
            if there is None or there.read <= summary.read:
                latest[key] = summary
        if not latest:
            return
        with self._writing:
            engine = self._writer()
            known = {(held.workspace, held.entity): held.read for held in self._held(latest)}
            with folder.engine("adding summaries"):
                for key, summary in latest.items():
                    if known.get(key, summary.read) <= summary.read:
                        engine.delete_documents_by_term("tokens", _own(*key))
                        engine.add_document(_document(summary))
            self._commit(engine)

    def _held(self, keys: Iterable[tuple[str, str]]) -> Iterator[Summary]:
        """The summaries that the newest commit has of these workspaces' entities."""
        searcher = self._reader.state().searcher
        for chunk in chunks(keys, LOOKUP):
            tokens = [_own(*key) for key in chunk]
            query = _Q.term_set_query(SCHEMA, "tokens", tokens)
            for _, address in searcher.search(query, limit=len(tokens), count=False).hits:
                yield _summary(searcher, address)

    def get(self, entities: Sequence[str], workspace: str) -> list[Summary | None]:
        """Summaries by entity, in the order asked."""
        if not folder.exists(self._path):
            return [None] * len(entities)  # facts of an older release, which kept none
        with folder.engine("reading summaries"):
            found = {held.entity: held for held in self._held((workspace, name) for name in {*entities})}
        return [found.get(name) for name in entities]

    def cohort(self, query: CohortQuery) -> Cohort:
        """One page of a cohort."""
        check_cohort(query.limit)
        after = None if query.cursor is None else _after(query.cursor, query)
        searcher = self._reader.state().searcher
        with folder.engine("looking for entities"):
            compiled = _compiled(query)
            total = matches(searcher, compiled)
            ordering = Ordering(
                searcher,
                compiled,
                time="quiet",
                newest=False,
                id_of=lambda address: _summary(searcher, address).entity,
                columns=_ORDER,
                between=_between,
            )
            hits = ordering.take(query.limit + 1, after) if total else []
            found = tuple(_summary(searcher, hit.address) for hit in hits[: query.limit])
        more = _cursor(found[-1], query) if len(hits) > query.limit else None
        return Cohort(summaries=found, total=total, next=more)

    def expire(self, before: int, workspace: str) -> None:
        """Remove summaries of a workspace whose last fact was placed before ``before``."""
        doomed = _Q.boolean_query(
            [(Occur.Must, _between("last", None, before - 1)), (Occur.Must, _token(_in_workspace(workspace)))]
        )
        with self._writing:
            engine = self._writer()
            if matches(self._reader.state().searcher, doomed):
                with folder.engine("expiring summaries"):
                    engine.delete_documents_by_query(doomed)
                self._commit(engine)
                with folder.engine("freeing disk"):
                    engine.garbage_collect_files()

    def bytes(self) -> int:
        """Bytes of all files of this index."""
        return folder.disk_bytes(self._path) if self._path.exists() else 0

    def check(self) -> None:
        """Raise ``StoreUnavailable`` where a question would fail now."""
        self._reader.state()

    def close(self) -> None:
        """Finish what is under way and let go of files and the writer's lock."""
        with self._writing:
            engine, self._engine = self._engine, None
            if engine is not None:
                with folder.engine("closing the summaries"):
                    engine.wait_merging_threads()
        self._reader.close()


def _summary(searcher: tantivy.Searcher, address: tantivy.DocAddress) -> Summary:
    try:
        return _decode(bytes(searcher.doc(address).get_first("summary") or b""))
    except msgspec.DecodeError as error:
        raise StoreUnavailable(
            "a stored summary cannot be read: the index of entities is damaged",
            remedy=f"stop the worker, move the folder {FOLDER} of the index away, start it and run manage.py resummarise",
        ) from error
