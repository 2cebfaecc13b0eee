"""Cohorts in JSON (``docs/http-api.md``)."""

from __future__ import annotations

from timeline.answers import CohortAnswer
from timeline.export.values import Json, moment, number, text
from timeline.search.times import format_span
from timeline.store.port import StepSeen, Summary


def step_json(step: StepSeen) -> Json:
    """A step that an entity reached."""
    return {
        "name": text(step.name),
        "first": moment(step.first),
        "last": moment(step.last),
        "count": step.count,
        "expired": step.expired,
    }


def summary_json(summary: Summary, as_of: int) -> Json:
    """An entity with its steps; ``quiet_ns`` is how long it had been quiet at ``as_of``."""
    return {
        "entity": text(summary.entity),
        "type": text(summary.type),
        "id": text(summary.entity.partition(":")[2]),
        "steps": [step_json(step) for step in summary.steps],
        "current": None if summary.current is None else text(summary.current),
        "quiet_since": moment(summary.quiet_since),
        "quiet_ns": number(max(as_of - summary.quiet_since, 0)),
        "first": moment(summary.first),
        "last": moment(summary.last),
        "services": [text(name) for name in summary.services],
        "environments": [text(name) for name in summary.environments],
        "facts": summary.facts,
        "failed": summary.failed,
        "cut": summary.cut,
        "findings": [text(name) for name in summary.findings],
        "read_at": moment(summary.read),
    }


def cohort_json(answer: CohortAnswer) -> Json:
    """Entities, longest quiet first, with what was asked and what the answer rests on."""
    asked, cohort = answer.asked, answer.cohort
    return {
        "type": text(asked.type),
        "reached": [text(name) for name in asked.reached],
        "missing": [text(name) for name in asked.missing],
        "quiet_for_ns": None if asked.quiet_for is None else number(asked.quiet_for),
        "environment": None if asked.environment is None else text(asked.environment),
        "as_of": moment(asked.as_of),
        "coverage": {
            "up_to": moment(answer.up_to),
            "now": moment(answer.now),
            "touches_lost": answer.lost,
            "lines": lines(answer),
        },
        "partial": [text(reason) for reason in cohort.partial],
        "total": cohort.total,
        "entities": [summary_json(one, asked.as_of) for one in cohort.summaries],
        "next": cohort.next,
    }


def lines(answer: CohortAnswer) -> list[str]:
    """What the answer rests on, in sentences."""
    behind = max(answer.now - answer.up_to, 0)
    found = [
        f"Steps are read from summaries, which hold what was received up to {format_span(behind)} ago; "
        "an entity touched since then may have moved on."
    ]
    if answer.lost:
        found.append(
            f"{answer.lost:,} touches of entities were not noted: run manage.py resummarise to read everything again."
        )
    return found
