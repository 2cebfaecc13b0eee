"""The sequence diagram of a trace: lifelines, arrows and boxes as numbers of pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timeline.answers import TraceAnswer
from timeline.export.mermaid import mermaid
from timeline.rebuild.sequence import Handling, Sequence, Step, sequence
from timeline.rebuild.waterfall import Waterfall
from timeline.search.times import SECOND
from timeline.web import words
from timeline.web.contexts.frame import link
from timeline.web.contexts.waterfall import key_of

LEFT, ROW, HEAD, BOX = 124, 38, 52, 10  # px: times, a line, names, a box
NARROW, WIDE, ROOM = 200, 300, 920  # px between lifelines: as many as there are share the room
STEPS = 300  # lines on one page; a file has all
OUT = 46  # px of an arrow that comes from outside


class _Drawing:
    def __init__(
        self, answer: TraceAnswer, found: Sequence, hues: Mapping[str, int], first: int, last: int
    ) -> None:
        self.answer, self.found, self.hues = answer, found, hues
        self.first, self.last = first, last
        self.lane = min(WIDE, max(NARROW, ROOM // max(1, len(found.lifelines))))
        self.usual = {(one.destination, one.consumer): one.median for one in answer.usual}

    def x(self, lane: int) -> float:
        return LEFT + self.lane * (lane + 0.5)

    def y(self, number: int) -> float:
        return HEAD + ROW * (number - self.first + 0.5)

    def hue(self, lane: int) -> int | str:
        return self.hues.get(self.found.lifelines[lane].name, "")

    def head(self, number: int) -> dict[str, Any]:
        line = self.found.lifelines[number]
        said = "in a linked trace" if line.linked else words.plural(line.handlings, "handling")
        return {"x": self.x(number), "left": self.x(number) - 74, "name": line.name, "said": said, "hue": self.hue(number), "linked": line.linked}  # fmt: skip

    def box(self, number: int, one: Handling) -> dict[str, Any]:
        top = max(self.y(max(one.first, self.first)) - 9, HEAD)
        bottom = self.y(min(one.last, self.last - 1)) + 15
        frame: dict[str, Any] = {}
        if one.before is not None:
            before = self.found.handlings[one.before]
            begins = self.y(max(before.last, self.first - 1)) + 15
            if begins < top:
                frame = {"pause_top": begins, "pause_bottom": top}
        return {
            "x": self.x(one.lane) - BOX / 2, "y": top, "width": BOX, "height": bottom - top, "hue": self.hue(one.lane),
            "failed": one.failed, "again": one.attempt > 1, "fact": one.fact, "number": number, "middle": self.x(one.lane), **frame,
        }  # fmt: skip

    def step(self, number: int, step: Step) -> dict[str, Any]:
        y = self.y(number)
        shown: dict[str, Any] = {
            "kind": step.kind, "at": step.at, "y": y, "fact": step.fact, "name": step.name, "failed": False, "hue": 0,
            "top": y - ROW / 2, "text_y": y + 4,
        }  # fmt: skip
        if step.kind == "idle":
            return {**shown, "label": f"{words.length(step.length)} idle, folded", "middle": self.width / 2}
        target = self.x(step.target) if step.target is not None else None
        box = None if step.box is None else self.found.handlings[step.box]
        if step.target is not None:
            shown["hue"] = self.hue(step.target)
        if (
            step.kind in ("start", "call", "message", "again", "linked", "later")
            and box is not None
            and target is not None
        ):
            shown |= self._handled(step, box, target)
        if step.kind in ("call", "message", "linked", "open"):
            shown |= self._arrow(step, y, target)
        if step.kind == "event":
            shown |= {"x": target, "text_x": (target or 0) + 16}
        if step.kind == "failed inside":
            shown |= {"x": (target or 0) + BOX / 2, "text_x": (target or 0) + 36, "failed": True}
            shown["label"] = (
                f"failed after {words.length(step.length)}" if step.length is not None else "failed"
            )
        return shown

    @property
    def width(self) -> int:
        return LEFT + self.lane * max(1, len(self.found.lifelines)) + 110

    def _handled(self, step: Step, box: Handling, target: float) -> dict[str, Any]:
        said = [box.name]
        said.append("no end given" if box.length is None else words.length(box.length))
        back = step.source is not None and step.target is not None and step.source > step.target
        if box.inside and not back:  # towards the times there is less room
            said.append(f"{words.plural(box.inside, 'span')} inside")
        attempt = f"attempt {box.attempt} of {box.attempts}" if box.attempts > 1 else ""
        pause = f"again after {words.length(step.pause)}" if step.pause is not None else ""
        return {
            "said": ", ".join(said), "attempt": attempt, "failed": box.failed, "pause": pause, "x": target, "back": back,
            "text_x": target - 14 if back else target + 14,
        }  # fmt: skip

    def _arrow(self, step: Step, y: float, target: float | None) -> dict[str, Any]:
        hop = None if step.hop is None else self.answer.timeline.hops[step.hop]
        source = self.x(step.source) if step.source is not None else (target or 0) - OUT - BOX
        end = target if target is not None else source + 92
        way = 1 if end > source else -1
        loop = end == source
        shown: dict[str, Any] = {
            "x1": source + way * BOX / 2, "x2": end - way * BOX / 2, "loop": loop, "y1": y - 8,
            "middle": end - way * self.lane / 2 if target is not None else (source + end) / 2, "wait": "", "slow": False, "usual": "", "outside": step.source is None,
        }  # fmt: skip
        if loop:
            shown |= {"x1": source + BOX / 2, "x2": source + BOX / 2, "middle": source + 92}
        if hop is not None and step.kind == "message" and hop.wait is not None:
            usual = self.usual.get(key_of(hop))
            slow = usual is not None and hop.wait >= max(SECOND, 10 * usual)
            proven = any(
                one.rule == "slow hop" and step.fact in one.evidence for one in self.answer.timeline.findings
            )
            shown |= {"wait": f"wait {words.length(hop.wait)}", "slow": slow or proven}
            shown["usual"] = "" if usual is None else f"usually {words.length(usual)}"
        if step.messages > 1:
            shown["many"] = words.plural(step.messages, "message")
        if step.kind == "open" and hop is not None:
            said = "not known to be taken" if hop.outcome == "unknown" else "not taken"
            shown |= {"end_x": end, "label": f"{said} by {hop.group}" if hop.group else said}
        return shown


def sequence_view(
    answer: TraceAnswer,
    drawn: Waterfall,
    hues: Mapping[str, int],
    params: Mapping[str, str],
    *,
    offline: bool,
) -> dict[str, Any]:
    """The diagram, or the part of a long one that ``start`` names; and all of it as Mermaid text."""
    found = sequence(answer.timeline, drawn.facts, drawn.scale, answer.linked)
    asked = params.get("start", "")
    first = int(asked) if asked.isdecimal() and len(asked) < 9 and not offline else 0
    first = min(first, max(0, len(found.steps) - 1))
    last = len(found.steps) if offline else min(len(found.steps), first + STEPS)
    drawing = _Drawing(answer, found, hues, first, last)
    lanes = range(len(found.lifelines))
    path = f"/traces/{answer.trace_id}"
    boxes = [
        drawing.box(number, one)
        for number, one in enumerate(found.handlings)
        if one.first < last and one.last >= first
    ]
    return {
        "width": drawing.width,
        "height": HEAD + ROW * (last - first) + 16,
        "head": HEAD,
        "row": ROW,
        "heads": [drawing.head(number) for number in lanes],
        "boxes": boxes,
        "steps": [drawing.step(number, found.steps[number]) for number in range(first, last)],
        "count": sum(1 for step in found.steps if step.kind != "idle"),
        "folded": found.folded,
        "first": first + 1,
        "last": last,
        "total": len(found.steps),
        "next_href": link(path, params, start=last) if last < len(found.steps) else "",
        "before_href": link(path, params, start=max(0, first - STEPS) or None) if first else "",
        "mermaid": mermaid(found, answer.timeline),
        "slowest": _slowest(answer),
        "svg_href": link(f"{path}/sequence.svg", {name: value for name, value in params.items() if name in ("fold", "waits", "open")}),
    }  # fmt: skip


def _slowest(answer: TraceAnswer) -> list[dict[str, Any]]:
    """The five first waits that took longest."""
    hops = [hop for hop in answer.timeline.hops if hop.wait is not None and hop.attempt == 1]
    hops.sort(key=lambda hop: -(hop.wait or 0))
    return [
        {
            "where": ", ".join(part for part in (hop.destination, hop.consumer_service) if part),
            "wait": hop.wait,
            "fact": hop.consumer or hop.receiver or "",
        }
        for hop in hops[:5]
    ]
