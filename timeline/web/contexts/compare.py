"""Two entities beside each other, aligned by step, the first difference marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timeline.answers import EntityAnswer
from timeline.domain import Entry
from timeline.rebuild.compare import MOST, Pair, compare, first_difference
from timeline.web.contexts.frame import entity_path, link

_TONES = {"only here": "amber", "only there": "amber", "failed here": "red", "failed there": "red"}


def comparison(
    answer: EntityAnswer,
    other: EntityAnswer | None,
    named: str,
    params: Mapping[str, str],
    hues: Mapping[str, int],
) -> dict[str, Any]:
    """What the table of a comparison shows; ``other`` is ``None`` where nothing of it was seen."""
    path = entity_path(str(answer.entity))
    shown: dict[str, Any] = {"other": named, "close": link(path, params, compare=None), "rows": ()}
    if other is None:
        shown["sentence"] = f"Nothing about {named} was seen, so there is nothing to compare with."
        return shown
    pairs = compare(answer.own, other.own)
    differs = first_difference(pairs)
    starts = _start([pair.here for pair in pairs]), _start([pair.there for pair in pairs])
    shown |= {
        "href": link(entity_path(named), params, compare=str(answer.entity), sel=None),
        "sentence": _sentence(str(answer.entity), named, pairs, differs),
        "differing": sum(1 for pair in pairs if pair.difference),
        "cut": max(len(each.own.entries) for each in (answer, other)) > MOST,
        "doubtful": any(each.coverage.causes or each.own.truncated for each in (answer, other)),
        "most": MOST,
        "rows": [
            {
                "service": pair.step.lane,
                "hue": hues.get(pair.step.lane, 0),
                "what": pair.step.what or "unnamed",
                "event": pair.step.kind == "event",
                "here": _half(pair.here, starts[0], params),
                "there": _half(pair.there, starts[1], params),
                "difference": pair.difference,
                "tone": _TONES.get(pair.difference, "amber"),
                "first": place == differs,
            }
            for place, pair in enumerate(pairs)
        ],
    }
    return shown


def _start(entries: list[Entry | None]) -> int:
    return min((entry.at for entry in entries if entry is not None and entry.at is not None), default=0)


def _half(entry: Entry | None, start: int, params: Mapping[str, str]) -> dict[str, Any] | None:
    if entry is None:
        return None
    kept = {name: params[name] for name in ("q", "from", "to", "range") if name in params}
    return {
        "href": link(f"/facts/{entry.fact}", kept),
        "at": entry.at,
        "after": (entry.at or 0) - start,
        "took": entry.until - entry.at
        if entry.until is not None and entry.at is not None and entry.kind == "span"
        else None,
        "failed": entry.status == "error",
    }


def _sentence(here: str, there: str, pairs: tuple[Pair, ...], differs: int | None) -> str:
    if differs is None:
        return f"{here} and {there} went the same way as far as is known, step by step."
    pair = pairs[differs]
    step = f"{pair.step.what or 'a step'} by {pair.step.lane or 'an unnamed service'}"
    before = next((pairs[place].step for place in range(differs - 1, -1, -1)), None)
    same = (
        f"The same up to {before.what or 'a step'} by {before.lane or 'an unnamed service'}; then"
        if before
        else "From the start"
    )
    told = {
        "only here": f"{here} has {step}, which is not known of {there}",
        "only there": f"{there} has {step}, which is not known of {here}",
        "failed here": f"{step} failed for {here} and not for {there}",
        "failed there": f"{step} failed for {there} and not for {here}",
        "slower here": f"{step} took far longer for {here}",
        "slower there": f"{step} took far longer for {there}",
    }
    return f"{same} {told[pair.difference]}."
