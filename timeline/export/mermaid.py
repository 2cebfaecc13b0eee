"""A sequence as Mermaid text (``sequenceDiagram``), with the same arrows in the same order as the page."""

from __future__ import annotations

import re
from collections.abc import Iterator

from timeline.domain import Hop, Timeline
from timeline.rebuild.sequence import Handling, Sequence, Step
from timeline.search.times import format_span

_MOST = 80  # characters of a name
# what would end or change a line of Mermaid, and what nobody can see
_HARMFUL = re.compile("[#;:<>{}\"'`%\\\\\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def _text(name: str) -> str:
    """A foreign name as Mermaid takes it: entity codes for its own signs, one line."""

    def code(match: re.Match[str]) -> str:
        number = ord(match.group())
        return " " if number < 0x20 or number > 0x7E else f"#{number};"

    cut = name if len(name) <= _MOST else name[: _MOST - 1] + "\u2026"
    said = " ".join(_HARMFUL.sub(code, cut.encode(errors="replace").decode()).split())
    # a bare "end" closes a block
    return said.replace("end", "e#110;d") if re.search(r"\bend\b", said, re.IGNORECASE) else said or "unnamed"


def mermaid(found: Sequence, timeline: Timeline) -> str:
    """The whole diagram; every arrow says how long its message waited."""
    return "\n".join(_lines(found, timeline)) + "\n"


def _lines(found: Sequence, timeline: Timeline) -> Iterator[str]:
    yield "sequenceDiagram"
    for number, lifeline in enumerate(found.lifelines):
        linked = " (linked trace)" if lifeline.linked else ""
        yield f"  participant p{number} as {_text(lifeline.name)}{linked}"
    if any(step.kind in ("start", "message") and step.source is None for step in found.steps):
        yield "  participant out as outside"
    for step in found.steps:
        hop = None if step.hop is None else timeline.hops[step.hop]
        box = None if step.box is None else found.handlings[step.box]
        yield f"  {_line(step, hop, box, len(found.lifelines))}"


def _line(step: Step, hop: Hop | None, box: Handling | None, count: int) -> str:
    source = "out" if step.source is None else f"p{step.source}"
    target = "out" if step.target is None else f"p{step.target}"
    done = _done(box)
    if step.kind == "idle":
        return f"Note over p0,p{max(0, count - 1)}: {format_span(step.length or 0)} idle, folded"
    if step.kind == "start":
        return f"out->>{target}: {_text(step.name)}{done}"
    if step.kind == "call":
        return f"{source}->>{target}: {_text(step.name)}{done}"
    if step.kind == "message":
        wait = f", waited {format_span(hop.wait)}" if hop is not None and hop.wait is not None else ""
        many = f", {step.messages} messages" if step.messages > 1 else ""
        return f"{source}-){target}: {_text(step.name)}{many}{wait}{done}"
    if step.kind == "again":
        pause = f" after {format_span(step.pause)}" if step.pause is not None else ""
        return f"{target}->>{target}: {_text(step.name)} again{pause}{done}"
    if step.kind == "linked":
        return f"{source}-){target}: {_text(step.name)}, linked trace{done}"
    if step.kind == "later":
        return f"{target}->>{target}: {_text(step.name)}, later{done}"
    if step.kind == "failed inside":
        return f"{target}-x{target}: {_text(step.name)} failed"
    if step.kind == "open":
        taken = "not known to be taken" if hop is not None and hop.outcome == "unknown" else "not taken yet"
        whom = f" by {_text(hop.group)}" if hop is not None and hop.group else ""
        to = source if step.target is None else target
        return f"{source}--x{to}: {_text(step.name)}, {taken}{whom}"
    return f"Note over {target}: {_text(step.name)}"


def _done(box: Handling | None) -> str:
    """What came of a handling, after its arrival."""
    if box is None:
        return ""
    said = f" ({format_span(box.length)}" if box.length is not None else " (no end"
    if box.attempts > 1:
        said += f", attempt {box.attempt} of {box.attempts}"
    return f"{said}, failed)" if box.failed else f"{said})"
