"""Searches and their hits: what every kind of question shares.

Whole facts come from doc values (``whole``) and their place in the order from the sort
values, so no stored field is read for any of them.
"""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from timeline.domain import Stored
from timeline.errors import BadQuery, StoreUnavailable, ThroughlineError
from timeline.store.asking import chunks
from timeline.store.codec import Codec
from timeline.store.elasticsearch.admin import recognise
from timeline.store.elasticsearch.client import STARTING, Cluster, lines, not_there, pause
from timeline.store.elasticsearch.compile import Dsl, within
from timeline.store.elasticsearch.days import Days
from timeline.store.elasticsearch.names import id_of, is_id
from timeline.store.elasticsearch.recent import Recent
from timeline.store.patience import left, rest, spent
from timeline.store.port import Order

LOOKUP: Final = 1_000  # ids asked at a time
TOGETHER: Final = 200  # searches of one request
SECONDS: Final = 25.0  # s after which the cluster gives what it has
SHARE: Final = 0.8  # of the time left to a question
_LENIENT: Final = {"ignore_unavailable": "true", "allow_no_indices": "true"}
_WHOLE: Final = {**_LENIENT, "allow_partial_search_results": "false"}
_PARTIAL: Final = {**_LENIENT, "allow_partial_search_results": "true"}
_PARTIAL_HEAD: Final = {
    "ignore_unavailable": True,
    "allow_no_indices": True,
    "allow_partial_search_results": True,
}


class Place(NamedTuple):
    """A fact's place in an order: the two numbers it goes by, and the ranks of its id."""

    time: int
    tie: int
    high: int
    low: int

    @property
    def id(self) -> str:
        """The id of the fact."""
        return id_of(self.high, self.low)


def in_time() -> str:
    """When the cluster is to give what it has, so that an answer in part still comes in time."""
    limit = left()
    return f"{SECONDS:.0f}s" if limit is None else f"{max(1, round(min(SECONDS, limit * SHARE) * 1000))}ms"


def sorting(order: Order) -> list[Dsl]:
    """One of the port's total orders."""
    if order == "longest":
        took = {"duration": {"order": "desc", "missing": "_last"}}
        return [took, {"placed": "desc"}, {"high": "desc"}, {"low": "desc"}]
    way = "asc" if order == "oldest" else "desc"
    time = "received" if order == "received" else "placed"
    return [{field: way} for field in (time, "tie", "high", "low")]


def place_of(hit: dict[str, Any]) -> Place:
    """The place of a hit."""
    return Place(*hit["sort"][:4])  # a stream adds a value of its own


def listing(query: Dsl, order: Order, size: int, after: Place | None = None) -> Dsl:
    """The body of a search for whole facts in order."""
    body: Dsl = {
        "query": query,
        "sort": sorting(order),
        "size": size,
        "stored_fields": "_none_",
        "docvalue_fields": ["whole"],
        "track_total_hits": False,
        "timeout": in_time(),
    }
    if after is not None:
        body["search_after"] = list(after)
    return body


def partial_of(answer: dict[str, Any]) -> tuple[str, ...]:
    """Why an answer is not whole, one sentence per reason."""
    said = []
    shards = answer.get("_shards", {})
    if shards.get("failed"):
        reasons = {
            str(failure.get("reason", {}).get("type", "unknown")) for failure in shards.get("failures", ())
        }
        why = ", ".join(sorted(reasons)) or "no copy of them could be reached"
        said.append(f"{shards['failed']} of {shards['total']} shards did not answer ({why}).")
    if answer.get("timed_out"):
        said.append("The cluster ran out of time before it had looked at every fact.")
    return tuple(said)


def insist(answer: dict[str, Any], doing: str) -> dict[str, Any]:
    """The answer, where it is whole; raises ``StoreUnavailable`` otherwise."""
    partial = partial_of(answer)
    if partial:
        raise StoreUnavailable(
            f"the cluster answered in part while {doing}: {' '.join(partial)}",
            remedy="bring missing nodes back, or ask for a shorter time",
        )
    return answer


# of a day just begun, and of one that expired while it was searched
_PASSING: Final = frozenset({"no_shard_available_action_exception", "search_context_missing_exception"})


class Fetch:
    """Asks the cluster and unpacks what it finds; safe for use by several threads."""

    def __init__(self, cluster: Cluster, codec: Codec, days: Days) -> None:
        self.cluster, self.days, self._codec = cluster, days, codec
        self.recent = Recent(cluster)
        self._recognised = False

    def recognise(self, *, anew: bool = False) -> None:
        """Before the first question: raise ``StoreUnavailable`` where another release or product wrote here."""
        if anew or not self._recognised:
            recognise(self.cluster)
            self._recognised = True

    def search(self, path: str, body: Dsl, doing: str, *, whole: bool = True) -> dict[str, Any]:
        """One search; with ``whole``, an answer in part is an error."""
        self.recognise()
        params = _WHOLE if whole else _PARTIAL
        asked = time.monotonic()
        while True:
            try:
                answer: dict[str, Any] = self.cluster.ask(
                    "POST", f"/{path}/_search", body, params=params, doing=doing, question=True
                )
            except StoreUnavailable as error:
                # a day may go between finding its facts and reading them
                if not not_there(error) or _waited_enough(asked):
                    raise
            else:
                if not _passing(answer) or _waited_enough(asked):
                    return insist(answer, doing) if whole else answer
            rest(pause(1))

    def searches(self, asked: Sequence[tuple[str, Dsl]], doing: str) -> Iterator[dict[str, Any]]:
        """Many searches, each by its path and body; answers in order, perhaps in part."""
        self.recognise()
        for chunk in chunks(asked, TOGETHER):
            yield from self._together(chunk, doing)

    def _together(self, asked: Sequence[tuple[str, Dsl]], doing: str) -> list[dict[str, Any]]:
        body = lines(item for path, body in asked for item in ({"index": path, **_PARTIAL_HEAD}, body))
        began = time.monotonic()
        while True:
            answers: list[dict[str, Any]] = self.cluster.ask(
                "POST", "/_msearch", body, lines=True, doing=doing, question=True
            )["responses"]
            if not any(map(_passing, answers)) or _waited_enough(began):
                break
            rest(pause(1))
        for answer in answers:
            if "error" in answer:
                raise _refused(answer, doing)
        return answers

    def stored(self, hit: dict[str, Any]) -> Stored:
        """The whole fact of a hit of ``listing``."""
        return self._codec.unpack(b64decode(hit["fields"]["whole"][0]))

    def by_ids(self, ids: Iterable[str], workspace: str | None) -> dict[str, Stored]:
        """The visible facts stored under these ids, by id; of one workspace or of any."""
        found: dict[str, Stored] = {}
        for chunk in chunks((fact_id for fact_id in dict.fromkeys(ids) if is_id(fact_id)), LOOKUP):
            query = within(workspace, {"ids": {"values": chunk}})
            path = self.days.path_of(chunk)
            answer = self.search(path, listing(query, "oldest", len(chunk)), "reading facts")
            for hit in answer["hits"]["hits"]:
                stored = self.stored(hit)
                found[stored.receipt.id] = stored
        return found


def _waited_enough(began: float) -> bool:
    """Whether shards that are just being started were given their time, by this request or those before it."""
    return max(time.monotonic() - began, spent()) > STARTING


def _passing(answer: dict[str, Any]) -> bool:
    """Whether shards were left out that are there, or known to be gone, a moment later."""
    return answer.get("status") in (404, 503) or any(
        failure.get("reason", {}).get("type") in _PASSING
        for failure in answer.get("_shards", {}).get("failures", ())
    )


def _refused(answer: dict[str, Any], doing: str) -> ThroughlineError:
    error = answer["error"]
    roots = error.get("root_cause") or [error]
    reason = f"{roots[0].get('type')}: {str(roots[0].get('reason'))[:300]}"
    if answer.get("status") == 400:
        return BadQuery(f"the cluster cannot answer this: {reason}", remedy="ask for less at once")
    return StoreUnavailable(f"the cluster failed while {doing}: {reason}", remedy="look into its log")
