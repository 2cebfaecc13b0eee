"""Causes that go round in a circle: only wrong data can say so, and the order had to cut it."""

from __future__ import annotations

from collections.abc import Iterator

from timeline.domain import Finding
from timeline.rebuild.findings.story import Story, count


def find(story: Story) -> Iterator[Finding]:
    """One finding for all cycles and self references that touch a shown fact."""
    cut = [pair for pair in story.cut if any(story.known[index].shown for index in pair)]
    loops = [index for index in story.loops if story.known[index].shown]
    if not cut and not loops:
        return
    sides = [index for pair in cut for index in pair] + loops
    yield Finding(
        rule="cycle",
        severity="warning",
        sentence=(
            f"Parents and links go round in a circle; {count(len(cut) + len(loops), 'reference')} "
            "to an own effect left out of the order."
        ),
        at=min((at for index in sides if (at := story.known[index].at) is not None), default=None),
        evidence=story.evidence(sides),
    )
