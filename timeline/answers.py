"""What pages, API and files are made from: one value per question, so they cannot disagree.

Pure view-models, filled by ``timeline.reading`` and drawn by ``timeline.web`` and
``timeline.export``. Times are ns UTC.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from timeline.domain import Entity, Hop, Row, Stored, Timeline
from timeline.rebuild.flows import Flow
from timeline.rebuild.linked import LinkedTrace
from timeline.search import form, obstacles
from timeline.search.query import Window
from timeline.store.port import Bucket, Cohort, CohortQuery, Count, Facet, Order

Cause: TypeAlias = obstacles.Obstacle  # one reason why absence is not proven
Chip: TypeAlias = form.Chip  # one condition of a query as people see it
Pick: TypeAlias = form.Pick  # the values of a field that a query picks


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the view-models."""


class CoverageLine(_Answer, frozen=True):
    """One row of "what this rests on"."""

    topic: str  # Receivers, Inbox, Retention, Refused, Quarantined, Senders, ...
    state: Literal["ok", "warning", "info"]
    sentence: str


class Gap(_Answer, frozen=True):
    """A stretch in which nothing can be known: shaded on the histogram."""

    start: int
    end: int
    kind: str


class Coverage(_Answer, frozen=True):
    """What an answer rests on, as of the watermark ``up_to``.

    Everything received before ``up_to`` has been searched. ``causes`` is empty exactly
    when an empty answer over ``window`` proves absence up to ``up_to``.
    """

    window: Window
    up_to: int
    now: int
    recorded_since: int | None = None
    retention_edge: int | None = None
    pending_requests: int = 0
    pending_items: int = 0
    lines: tuple[CoverageLine, ...] = ()
    causes: tuple[Cause, ...] = ()
    gaps: tuple[Gap, ...] = ()
    assumptions: tuple[str, ...] = ()


class Verdict(_Answer, frozen=True):
    """Seen, not seen, or cannot say; ``sentence`` can be read out in an incident call."""

    kind: Literal["seen", "not_seen", "cannot_say"]
    sentence: str
    count: int = 0
    variants: int = 0
    at_least: bool = False
    first: int | None = None
    last: int | None = None
    up_to: int | None = None
    causes: tuple[Cause, ...] = ()


class Reading(_Answer, frozen=True):
    """One meaning of an ambiguous key or of pasted text, and how often it matched."""

    label: str
    text: str  # query text that asks this reading alone
    count: int


class Suggestion(_Answer, frozen=True):
    """Something to try next, as a link to a search."""

    label: str
    text: str = ""  # query text; with ``start``/``end`` a window
    start: int | None = None
    end: int | None = None
    count: int | None = None
    href: str = ""


class SearchAnswer(_Answer, frozen=True):
    """A search: the verdict first, then what it rests on, then the rows."""

    text: str
    window: Window
    order: Order
    verdict: Verdict
    coverage: Coverage
    total: Count
    rows: tuple[Row, ...]
    next: str | None
    chips: tuple[Chip, ...] = ()
    picks: tuple[Pick, ...] = ()
    readings: tuple[Reading, ...] = ()
    understood: str = ""  # "Read as an entity", ...
    facets: tuple[Facet, ...] = ()
    histogram: tuple[Bucket, ...] = ()
    interval: int = 0
    suggestions: tuple[Suggestion, ...] = ()
    instead: tuple[Row, ...] = ()  # newest matches of the suggestion with the fewest, where nothing matched
    instead_of: Suggestion | None = None
    partial: tuple[str, ...] = ()
    took: int = 0  # ns
    facts: tuple[Stored, ...] = ()  # the rows, whole


class TailAnswer(_Answer, frozen=True):
    """What was received in ``after <= t < up_to`` and matches, newest received first.

    The next question continues from ``up_to``: together they skip and repeat nothing. ``skipped``
    matches were too many for one answer; the newest are in it.
    """

    after: int
    up_to: int
    now: int
    rows: tuple[Row, ...] = ()
    facts: tuple[Stored, ...] = ()  # the rows, whole
    skipped: int = 0
    partial: tuple[str, ...] = ()


class FactAnswer(_Answer, frozen=True):
    """One fact, whole: its hops, its variants and how often it arrived."""

    stored: Stored
    hops: tuple[Hop, ...]
    around: tuple[Stored, ...] = ()  # the facts its hops name, by id
    variants: tuple[Stored, ...] = ()
    arrivals: tuple[int, ...] = ()  # received times, first first
    neighbours: tuple[Row, ...] = ()  # same key or entity, around this one


class UsualWait(_Answer, frozen=True):
    """How long messages of a destination usually wait for a consumer (its group, else its service).

    ``median`` is in ns, over so many ``deliveries`` of other traces.
    """

    destination: str
    consumer: str
    median: int
    deliveries: int


class TraceAnswer(_Answer, frozen=True):
    """A trace: every fact of it, the rebuilt story, and what is missing."""

    trace_id: str
    facts: tuple[Stored, ...]
    timeline: Timeline
    coverage: Coverage
    partial: tuple[str, ...] = ()
    linked: tuple[LinkedTrace, ...] = ()  # other traces, with what ties them to this one
    usual: tuple[UsualWait, ...] = ()  # of its longest waits, where enough is known


class EntityAnswer(_Answer, frozen=True):
    """An entity's story across services, brokers and days."""

    entity: Entity
    facts: tuple[Stored, ...]
    timeline: Timeline
    coverage: Coverage
    beside: tuple[Entity, ...] = ()  # other entities that are shown whole with it
    alone: Timeline | None = None  # where there are such: what is known of this one without them
    context_count: int = 0  # facts on which it only came along
    related: tuple[tuple[str, int], ...] = ()  # other entities on the same facts
    partial: tuple[str, ...] = ()

    @property
    def own(self) -> Timeline:
        """The story that sentences about this entity are made from."""
        return self.alone or self.timeline


class IdVerdict(_Answer, frozen=True):
    """The verdict on one pasted id, with where it was last seen."""

    id: str
    verdict: Verdict
    newest: Row | None = None


class SeenAnswer(_Answer, frozen=True):
    """Verdicts for many ids, asked at once, on one coverage."""

    verdicts: tuple[IdVerdict, ...]
    coverage: Coverage
    seen: int
    not_seen: int
    cannot_say: int


class SenderView(_Answer, frozen=True):
    """One service that sends, as far as its facts tell."""

    service: str
    version: str
    sdk: str
    environment: str
    facts: int
    first: int
    last: int
    skew: int | None = None  # ns its clock ran ahead of ours at most, by received time
    sampled: bool = False
    complete: bool = False
    declared_by: str = ""


class NodeView(_Answer, frozen=True):
    """One process of a node and its last heartbeat."""

    name: str
    role: str
    started: int
    beat: int
    up: bool


class QuarantineView(_Answer, frozen=True):
    """Items that could not be stored, of one reason; ``message`` says it of one of them."""

    reason: str
    message: str
    items: int
    last: int  # received, ns


class Account(_Answer, frozen=True):
    """What became of every item of one sender, and how fast its items come and go.

    ``unaccounted`` is what was received and is in no other figure: 0, or the report of a node is old.
    """

    sender: str  # name of its key; empty where it sends without one, from the machine itself
    received: int = 0
    refused: int = 0
    inbox: int = 0
    new: int = 0
    already: int = 0
    variant: int = 0
    quarantined: int = 0
    unaccounted: int = 0
    discarded: int = 0  # metrics requests
    retried: int = 0  # items that were sent again, whatever became of them
    requests: int = 0  # that wait
    oldest: int | None = None  # when the longest waiting was received, ns
    came: float = 0.0  # items a second, accepted over the last minute
    went: float = 0.0  # ... released
    empty_in: float | None = None  # seconds; None where it does not empty
    reasons: tuple[tuple[str, str, int], ...] = ()  # refused or quarantined, why, items


class Accounting(_Answer, frozen=True):
    """Received = refused + inbox + new + already + variant + quarantined, of each sender and in all."""

    now: int
    total: Account
    accounts: tuple[Account, ...]


class SendersAnswer(_Answer, frozen=True):
    """Who sends, what waits, what was refused and quarantined, and when we were away."""

    senders: tuple[SenderView, ...]
    nodes: tuple[NodeView, ...]
    tally: dict[str, int]  # received, refused, inbox, new, already, variant, quarantined, discarded metrics
    refused: tuple[tuple[str, int, int], ...]  # reason, items, last ns
    quarantine: tuple[QuarantineView, ...]
    outages: tuple[tuple[int, int, str], ...]
    pending_requests: int
    pending_items: int
    oldest_pending: int | None
    accounting: Accounting


class CohortAnswer(_Answer, frozen=True):
    """Entities that reached some steps and not others, and how far their summaries lag.

    The summaries hold every fact received before ``up_to``; an entity touched later may be
    shown as it was before. ``lost`` touches are known to be missing from them.
    """

    asked: CohortQuery
    cohort: Cohort
    up_to: int
    now: int
    lost: int = 0


class FlowsAnswer(_Answer, frozen=True):
    """What flows between services, told by the newest ``looked_at`` message facts of the range."""

    flows: tuple[Flow, ...]
    destinations: tuple[tuple[str, int], ...]  # with all their message facts in the range
    coverage: Coverage
    looked_at: int
    since: int | None = None  # the oldest of those looked at, ns


class Partition(_Answer, frozen=True):
    """One partition of a destination, among the messages looked at."""

    name: str
    messages: int
    keys: int
    newest: int | None  # offset


class Lane(_Answer, frozen=True):
    """A service, in one version, doing one thing with a destination."""

    operation: str
    service: str
    version: str
    schema: str
    group: str
    count: int
    first: int
    last: int


class Size(_Answer, frozen=True):
    """Body sizes (bytes) in a stretch of time that begins at ``start``."""

    start: int
    count: int
    p50: int
    p95: int
    most: int


class DestinationAnswer(_Answer, frozen=True):
    """One topic, queue or stream, told by its newest ``looked_at`` facts of ``count`` in the range.

    ``torn`` are keys that were written to several partitions.
    """

    name: str
    flows: tuple[Flow, ...]
    coverage: Coverage
    count: int
    looked_at: int
    since: int | None = None
    systems: tuple[str, ...] = ()
    partitions: tuple[Partition, ...] = ()
    keys: tuple[tuple[str, int], ...] = ()
    torn: tuple[tuple[str, tuple[str, ...]], ...] = ()
    lanes: tuple[Lane, ...] = ()
    sizes: tuple[Size, ...] = ()
