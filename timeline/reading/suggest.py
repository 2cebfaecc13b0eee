"""What can be typed next: keys that facts have, and the values of a key, most frequent first.

Everything is counted over the newest facts or by the store's facets, and remembered for a few
seconds: typing a word asks the store once, not once a letter.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from timeline.domain import Stored
from timeline.search.caret import Typed, completed
from timeline.search.names import ATTRIBUTE_ALIASES, FIELD_ALIASES
from timeline.search.query import FACETS, FIELDS, All, Query, Window
from timeline.search.times import DAY
from timeline.store.port import Store

MOST: Final = 12  # suggestions at once
_VALUES: Final = 200  # of a key, that are remembered
_NEWEST: Final = 200  # facts whose keys are offered
_FRESH: Final = 15.0  # s
_KEPT: Final = 200  # answers in memory
_LONGEST: Final = 120  # characters of a value worth offering
# the words people begin with, in the order in which a newcomer needs them
_USUAL: Final = ("service", "type", "name", "status", "topic", "trace", "duration", "environment", "key")


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One suggestion: ``text`` replaces what is being typed."""

    kind: str  # key, value
    text: str
    label: str
    note: str = ""
    count: int | None = None


_Counted = tuple[tuple[str, int], ...]


class Suggestions:
    """Completes questions about one store; remembers for 15 seconds what it asked."""

    def __init__(self, store: Store, rules: Callable[[str], Mapping[str, str]]) -> None:
        self._store = store
        self._rules = rules
        self._known: dict[tuple[str, str], tuple[float, _Counted]] = {}

    def offers(self, typed: Typed, workspace: str) -> list[Offer]:
        """At most 12 completions; raises ``Unavailable`` where the store is away."""
        begun = typed.begun.casefold()
        if typed.key is None:
            return _best(self._keys(workspace), begun, "key")
        named = (
            Offer(
                kind="value",
                text=completed(typed.key, value),
                label=value,
                note=f"{typed.key}",
                count=count,
            )
            for value, count in self._values(typed.key, workspace)
            if len(value) <= _LONGEST
        )
        return _best(named, begun, "value")

    def _keys(self, workspace: str) -> Iterator[Offer]:
        types = sorted(set(self._rules(workspace).values()))
        kinds = dict.fromkeys((*_USUAL, *types, *FIELDS, *FIELD_ALIASES, *ATTRIBUTE_ALIASES, "has"))
        for name in kinds:
            note = "entity" if name in types else "field"
            yield Offer(kind="key", text=completed(name), label=name, note=note)
        for name, count in self._remembered("\0keys", workspace, self._newest_keys):
            if name and name not in kinds and len(name) <= _LONGEST:
                yield Offer(kind="key", text=completed(name), label=name, note="attribute", count=count)

    def _values(self, key: str, workspace: str) -> _Counted:
        if key == "has":
            return self._remembered("\0keys", workspace, self._newest_keys)
        if key in ("entity", "context"):
            return self._remembered("\0entities", workspace, self._newest_entities)
        if key in self._rules(workspace).values():
            named = self._remembered("\0entities", workspace, self._newest_entities)
            return tuple((name.partition(":")[2], n) for name, n in named if name.startswith(f"{key}:"))
        fields = FIELD_ALIASES.get(key, ())
        counted = [field for field in fields if field in FACETS]
        names = counted or ([] if fields else [*ATTRIBUTE_ALIASES.get(key, (key,))])
        return self._remembered(key, workspace, lambda of: self._facets(names, of)) if names else ()

    def _facets(self, names: list[str], workspace: str) -> _Counted:
        query = Query(where=All(), window=_lately(), workspace=workspace)
        found: Counter[str] = Counter()
        for facet in self._store.facets(query, names, limit=_VALUES):
            found.update({value.value: value.count for value in facet.values if value.value})
        return tuple(found.most_common(_VALUES))

    def _newest(self, workspace: str) -> tuple[Stored, ...]:
        query = Query(where=All(), window=_lately(), workspace=workspace)
        return self._store.search(query, limit=_NEWEST).facts

    def _newest_keys(self, workspace: str) -> _Counted:
        found: Counter[str] = Counter()
        for stored in self._newest(workspace):
            found.update({*stored.fact.attributes, *stored.fact.resource})
        return tuple(found.most_common(_VALUES))

    def _newest_entities(self, workspace: str) -> _Counted:
        found: Counter[str] = Counter()
        for stored in self._newest(workspace):
            found.update({str(entity) for entity in stored.fact.entities})
        return tuple(found.most_common(_VALUES))

    def _remembered(self, what: str, workspace: str, ask: Callable[[str], _Counted]) -> _Counted:
        known = self._known.get((what, workspace))
        if known is not None and time.monotonic() - known[0] < _FRESH:
            return known[1]
        found = ask(workspace)
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[what, workspace] = (time.monotonic(), found)
        return found


def _lately() -> Window:
    """The last day, on whole minutes."""
    end = time.time_ns() // (60 * 10**9) * 60 * 10**9 + 60 * 10**9
    return Window(start=end - DAY, end=end)


def _best(offers: Iterator[Offer], begun: str, kind: str) -> list[Offer]:
    """Those that begin so first, then those that hold it; in the order in which they came."""
    first: list[Offer] = []
    second: list[Offer] = []
    for offer in offers:
        name = offer.label.casefold()
        if name == begun and kind == "value":
            continue  # it is written already
        if name.startswith(begun):
            first.append(offer)
        elif begun in name:
            second.append(offer)
    return [*first, *second][:MOST]
