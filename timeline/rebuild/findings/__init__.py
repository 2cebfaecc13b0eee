"""Judgements with proof: one rule, one file. Each rule is a function of a ``Story``."""

from __future__ import annotations

from timeline.domain import Finding
from timeline.rebuild.findings import cycle, duplicate, partitions, slow, unconsumed
from timeline.rebuild.findings.story import Story

RULES = (duplicate.find, unconsumed.find, partitions.find, slow.find, cycle.find)
_SEVERITY = {"error": 0, "warning": 1, "info": 2}


def judge(story: Story) -> tuple[Finding, ...]:
    """Every finding: the gravest first, then by time."""
    found = [finding for rule in RULES for finding in rule(story)]
    found.sort(key=lambda one: (_SEVERITY[one.severity], one.at is None, one.at or 0, one.rule, one.sentence))
    return tuple(found)


__all__ = ["RULES", "Story", "judge"]
