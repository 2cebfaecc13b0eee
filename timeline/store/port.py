"""The contract of a store, in prose. ``tests/contract`` holds one test per clause.

**Writing.** ``write`` takes facts and returns one outcome per fact, in order, when all
of them are durable; else it raises ``Unavailable`` and the whole batch may be written
again, in any batch, order or process. Where only a part of the store is away, that is
``PartlyStored``: it says what is durable all the same. Writing twice is writing once:

* ``stored``: the id was new.
* ``already``: the id is known with the same ``content``. ``request`` is the request
  that stored it first, so that a redelivery is told from a second arrival.
* ``variant``: the id is known with other content. The fact is kept as
  ``Stored`` under ``ingest.identity.variant_id`` with ``variant=True``; the same
  variant again is ``already``. Two contents in one batch are treated as if they had come
  one after the other.
* ``refused``: this one can never be stored; ``reason`` says why. Its neighbours are.

With ``visible=True`` it returns only when a search sees the facts.

**Time.** A fact is placed by ``at`` where its year is 2000 to 2099, else it is *odd* and
placed by its received time in every window (``search.query.Window``).

**Reading.** Every method takes a whole ``Query``; the adapter adds its workspace last, in
one place. A question that cannot be answered raises; it is never an empty page. An answer
that is not whole (failed shard, time-out) says so in ``partial``, one sentence per reason.

* ``search`` returns facts in total order by (placed time, ``tie``, id) or, for
  ``received``, by (received, ``tie``, id); for ``longest`` by (duration, placed time, id), longest first
  and those without a duration last. A cursor is taken back by the same question in the
  same order, also when its range has moved on. Following ``next`` to the end skips and repeats nothing
  on a still set. Variants are among them, marked.
* ``overview`` says what ``search`` and ``count`` (with ``limit=count_to``) say, and the first and last
  placed time of every match, in one go: what a list needs that counts and judges what it shows.
* ``count`` counts facts; variants are counted apart. ``at_least`` is true where the
  count stopped at ``limit``.
* ``facets`` counts the values of built-in fields (``search.query.FACETS``) over every match,
  highest first then by value; any other name is an attribute key, counted over the newest
  2,000 matches and marked ``sampled``. Variants are left out.
* ``histogram`` counts per interval of placed time from ``window.start``, with the failed
  (status error) apart, without variants; empty buckets are left out.
* ``facts_of`` streams whole facts, oldest first by the same total order, without a limit
  and in bounded memory.
* ``get`` returns whole facts by id, in the order asked, ``None`` for each unknown one.
  ``group`` returns all facts of one identity (the fact, and its variants), smallest
  content hash first.
* ``missing`` names parts of a window that were taken out of every answer, such as an index that
  an operator closed; it answers from what is known, and never waits long.
* ``sightings`` answers many questions at once: count, first, last, newest.

**Values.** Attributes come back as sent: dots, empty keys, 64 KiB, emoji, NUL, integers past
2**53, bytes, operators of any engine. Any attribute is found by equality at any length, by
prefix, by number range, by existence. A million distinct keys add no field.

**Keeping.** ``expire`` removes every trace of facts placed before the moment (and odd
ones received before it), and returns how many went. What is gone does not come back by
itself. ``close`` waits for what is being written.

**Summaries.** Beside the facts a store keeps at most one small ``Summary`` per entity and
workspace: a cache that ``cohorts`` makes of facts, and that the store never makes itself.

* ``put_summaries`` returns when all are durable, else raises ``Unavailable`` and the whole
  batch may be put again. A summary replaces the one of the same workspace and entity unless
  that one was read later (``read``); with equal ``read`` the one put last stays. This also
  holds within a batch. With ``visible=True`` it returns only when a question sees them, else
  they are seen after ``visibility_lag`` at the latest. ``size()["facts"]`` and every question
  about facts know nothing of summaries.
* ``summaries`` returns them by entity, in the order asked, ``None`` for each unknown one.
  They come back as they were put.
* ``cohort`` returns the summaries of one workspace and entity type which have *every* step of
  ``reached`` and *none* of ``missing`` (a step marked ``expired`` counts as reached; names are
  compared exactly, at any length), which name ``environment`` among theirs where one is asked,
  and whose ``quiet_since <= as_of - quiet_for`` where ``quiet_for`` is given. Nothing in
  ``reached`` and ``missing`` asks for every entity of the type. Total order: longest quiet
  first (``quiet_since`` ascending), then ``entity`` by code points. ``total`` is exact, over
  all pages. A cursor is taken back by the same question, also with another ``limit`` and a
  later ``as_of``; any other cursor, and a ``limit`` outside 1 to ``COHORT_LIMIT``, raise
  ``BadQuery``. Following ``next`` to the end skips and repeats nothing on a still set.
* ``expire`` also removes summaries whose ``last`` is before the moment: a summary goes with the
  last of its facts. They are not part of the number returned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, Protocol

import msgspec

from timeline.domain import Row, Stored
from timeline.errors import StoreUnavailable
from timeline.search.query import Query, Window
from timeline.storable import Storable

Order = Literal["newest", "oldest", "received", "longest"]  # received: newest received first
COHORT_LIMIT: Final = 1_000  # most entities on a page of a cohort


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what a store answers."""


class ItemReport(_Answer, frozen=True):
    """What became of one fact of a write."""

    id: str  # the id it is stored under; for a variant, its own
    outcome: Literal["stored", "already", "variant", "refused"]
    reason: str = ""
    request: str = ""  # for "already": the request that stored it first
    partial: bool = False  # it has more values or words than are indexed


class PartlyStored(StoreUnavailable):
    """Some facts of a write wait for a part of the store that is away; the others are durable.

    ``reports`` has one place per fact, in order, ``None`` for each that waits.
    """

    def __init__(self, cause: StoreUnavailable, reports: Sequence[ItemReport | None]) -> None:
        super().__init__(cause.message, remedy=cause.remedy)
        self.reports = tuple(reports)


class Page(_Answer, frozen=True):
    """Facts in order; ``next`` continues, ``None`` ends the list."""

    facts: tuple[Stored, ...]
    next: str | None = None
    partial: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The facts as lines of a list."""
        return tuple(map(Row.of, self.facts))


class Count(_Answer, frozen=True):
    """How many facts match; ``variants`` are not part of ``value``."""

    value: int
    at_least: bool = False
    variants: int = 0
    partial: tuple[str, ...] = ()


class FacetValue(_Answer, frozen=True):
    """One value of a facet and how many facts have it."""

    value: str
    count: int


class Facet(_Answer, frozen=True):
    """The most frequent values of one field or attribute key."""

    field: str
    values: tuple[FacetValue, ...]
    sampled: bool = False


class Bucket(_Answer, frozen=True):
    """Facts placed in ``start <= t < start + interval``; ``errors`` of them failed."""

    start: int
    count: int
    errors: int


class Sighting(_Answer, frozen=True):
    """Whether and when a question was ever matched."""

    count: int = 0
    variants: int = 0
    first: int | None = None  # placed time, ns
    last: int | None = None
    newest: Row | None = None
    partial: tuple[str, ...] = ()


class Overview(_Answer, frozen=True):
    """A page of what a question matches, how many there are, and the ends of them all.

    ``first`` and ``last`` are placed times (ns), of variants too.
    """

    page: Page
    count: Count
    first: int | None = None
    last: int | None = None

    @property
    def partial(self) -> tuple[str, ...]:
        """Why any of it is not whole."""
        return tuple(dict.fromkeys((*self.page.partial, *self.count.partial)))


class StepSeen(_Answer, frozen=True, kw_only=True):
    """A step that an entity reached (``cohorts.steps``): when first and last (ns), and how often.

    ``expired`` marks a step that is only known from facts which are gone.
    """

    name: str
    first: int
    last: int
    count: int
    expired: bool = False


class Summary(_Answer, frozen=True, kw_only=True):
    """What the facts about one entity (as their subject) came to when they were ``read`` (ns).

    ``steps`` are in the order of their first fact; ``current`` is the step of the last fact that
    is one. ``first`` and ``last`` are placed times of facts. ``quiet_since`` is the time of the
    last fact too, but never later than that fact was received: a clock that runs ahead hides
    nothing. ``facts`` leaves out variants; ``failed`` of them have status error. ``findings`` are
    names of rules, for the board. ``cut`` counts facts that were too many to look at one by one.
    """

    workspace: str = "main"
    entity: str  # type:id
    steps: tuple[StepSeen, ...] = ()
    current: str | None = None
    quiet_since: int
    first: int
    last: int
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    facts: int = 0
    failed: int = 0
    findings: tuple[str, ...] = ()
    cut: int = 0
    read: int

    @property
    def type(self) -> str:
        """The entity's type: what stands before the first colon."""
        return self.entity.partition(":")[0]


class CohortQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Entities of a ``type`` that reached these steps, are missing those, and have been quiet
    for ``quiet_for`` ns at the moment ``as_of`` (ns)."""

    type: str
    as_of: int
    reached: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    quiet_for: int | None = None
    environment: str | None = None
    limit: int = 50
    cursor: str | None = None
    workspace: str = "main"


class Cohort(_Answer, frozen=True, kw_only=True):
    """A page of entities, longest quiet first; ``total`` counts all pages."""

    summaries: tuple[Summary, ...]
    total: int
    next: str | None = None
    partial: tuple[str, ...] = ()


class Store(Protocol):
    """What every adapter offers; see the module's text for what each call promises."""

    visibility_lag: int
    """A write confirmed longer ago than this many ns is seen by every search."""

    elsewhere: bool
    """Whether other processes store: a writer that ends while it waits for them ended for no fact's sake."""

    def prepare(self) -> None:
        """Create or open what is needed; harmless when called again."""

    def write(self, facts: Sequence[Storable], *, visible: bool = False) -> list[ItemReport]:
        """Store facts once each; returns when durable, else raises ``Unavailable``."""

    def search(
        self, query: Query, *, limit: int = 50, order: Order = "newest", cursor: str | None = None
    ) -> Page:
        """One page of facts; raises ``BadQuery`` for a cursor that is not ours."""

    def count(self, query: Query, *, limit: int | None = None) -> Count:
        """How many match, exactly unless ``limit`` cuts it short."""

    def overview(
        self,
        query: Query,
        *,
        limit: int = 50,
        order: Order = "newest",
        cursor: str | None = None,
        count_to: int | None = None,
    ) -> Overview:
        """A page, the count and the ends of all matches; raises ``BadQuery`` as ``search`` does."""

    def facets(self, query: Query, fields: Sequence[str], *, limit: int = 10) -> list[Facet]:
        """Value counts for each name asked, in the order asked."""

    def histogram(self, query: Query, *, interval: int) -> list[Bucket]:
        """Counts per ``interval`` ns; needs both ends of the window."""

    def facts_of(self, query: Query) -> Iterator[Stored]:
        """Every matching fact, oldest first, streamed."""

    def get(self, ids: Sequence[str], *, workspace: str = "main") -> list[Stored | None]:
        """Whole facts by id, in the order asked."""

    def group(self, identity: str, *, workspace: str = "main") -> list[Stored]:
        """Every fact of one identity, smallest content hash first."""

    def sightings(self, queries: Sequence[Query]) -> list[Sighting]:
        """One sighting per query, in order."""

    def missing(self, window: Window) -> tuple[str, ...]:
        """A sentence for each part of the window that no answer holds; does not wait for a store that is away."""

    def expire(self, before: int, *, workspace: str = "main") -> int:
        """Remove facts placed before ``before`` (ns), and summaries; returns how many facts went."""

    def put_summaries(self, summaries: Sequence[Summary], *, visible: bool = False) -> None:
        """Keep one summary per entity, the latest read; durable, else raises ``Unavailable``."""

    def summaries(self, entities: Sequence[str], *, workspace: str = "main") -> list[Summary | None]:
        """Summaries by entity (``type:id``), in the order asked."""

    def cohort(self, query: CohortQuery) -> Cohort:
        """One page of the entities asked for; raises ``BadQuery`` for a cursor that is not ours."""

    def size(self, *, seen: bool = False) -> dict[str, int]:
        """``facts`` and ``bytes`` held, for operators; with ``seen`` only what questions see by now, which is
        cheap enough to be asked every few seconds."""

    def check(self) -> None:
        """Raise ``Unavailable`` where a write or a search would fail now."""

    def close(self) -> None:
        """Finish what is under way and let go of files and sockets."""
