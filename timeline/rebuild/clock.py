"""How far service clocks can be apart, proven by causality. Shown, never applied.

A cause cannot begin after its effect, and a server's work lies inside the call that waited for it.
Each such pair bounds the difference of two clocks from one side; the tightest bounds make the range.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from timeline.domain import Skew, Span
from timeline.rebuild.causes import Pair
from timeline.rebuild.facts import Known

# (ahead, behind) -> at most this many ns ahead, and the two facts that prove it
_Bounds: TypeAlias = dict[tuple[str, str], tuple[int, str, str]]


def effect_at(known: Known) -> int | None:
    """The moment by which the cause must have begun: a poll may have been waiting before it."""
    if known.role == "receive":
        return known.until if known.until is not None else known.at
    return known.at


def contradicts(cause: Known, effect: Known) -> bool:
    """The raw times say that the effect came first."""
    moment = effect_at(effect)
    return cause.at is not None and moment is not None and moment < cause.at


def _tighten(bounds: _Bounds, ahead: Known, behind: Known, most: int) -> None:
    pair = (ahead.service, behind.service)
    found = bounds.get(pair)
    if found is None or (most, ahead.id, behind.id) < found:
        bounds[pair] = (most, ahead.id, behind.id)


def _contains(parent: Known, child: Known) -> bool:
    """A call that waited for its answer: the child's work fits inside it under some shift."""
    caller, callee = parent.fact, child.fact
    if not (isinstance(caller, Span) and isinstance(callee, Span)):
        return False
    if caller.kind != "client" or callee.kind != "server" or caller.status == "error":
        return False
    if parent.at is None or parent.until is None or child.at is None or child.until is None:
        return False
    return 0 <= child.until - child.at <= parent.until - parent.at


def skews(known: list[Known], edges: Iterable[Pair], services: dict[str, int]) -> tuple[Skew, ...]:
    """One range per pair of services where causality bounds both sides, or proves a difference.

    ``services`` gives their first-seen order; the earlier one is ``against``.
    """
    bounds: _Bounds = {}
    for cause, effect in edges:
        one, other = known[cause], known[effect]
        if not one.service or not other.service or one.service == other.service:
            continue
        moment = effect_at(other)
        if one.at is not None and moment is not None:
            _tighten(bounds, other, one, moment - one.at)
        # only true for an edge from caller to callee, never for a link or a message
        if isinstance(other.fact, Span) and _contains(one, other) and other.fact.parent:
            assert one.until is not None and other.until is not None  # noqa: S101, PT018 - _contains saw them
            _tighten(bounds, one, other, one.until - other.until)
    found: list[tuple[int, int, Skew]] = []
    for first, second in {
        tuple(sorted(pair, key=lambda name: (services.get(name, 0), name))) for pair in bounds
    }:
        upper, lower = bounds.get((second, first)), bounds.get((first, second))
        high = upper[0] if upper else None
        low = -lower[0] if lower else None
        proven = (high is not None and high < 0) or (low is not None and low > 0)
        if not proven and (high is None or low is None):
            continue
        if high is not None and low is not None and low > high:  # the clocks drifted while we looked
            low, high = high, low
        evidence = tuple(dict.fromkeys([*(upper or ())[1:], *(lower or ())[1:]]))
        skew = Skew(service=second, against=first, low=low, high=high, evidence=evidence)
        found.append((services.get(first, 0), services.get(second, 0), skew))
    return tuple(skew for _, _, skew in sorted(found, key=lambda row: row[:2]))


def shifts(found: tuple[Skew, ...]) -> dict[str, tuple[int, int]]:
    """For services proven to be off: by how much their times can be wrong, earliest and latest shift."""
    result: dict[str, tuple[int, int]] = {}
    for skew in found:
        if skew.low is None or skew.high is None or skew.low <= 0 <= skew.high:
            continue
        result.setdefault(skew.service, (-skew.high, -skew.low))
    return result
