"""Answers in JSON: what the HTTP API sends and what files hold (``docs/http-api.md``).

Plain dictionaries, ready for any encoder. Times, big integers and bytes are written as ``values`` says;
lengths of time are integers in nanoseconds under names that end in ``_ns``.
"""

from __future__ import annotations

from collections.abc import Sequence

from timeline.answers import (
    Cause,
    Coverage,
    DestinationAnswer,
    EntityAnswer,
    FactAnswer,
    FlowsAnswer,
    IdVerdict,
    SearchAnswer,
    SeenAnswer,
    TailAnswer,
    TraceAnswer,
    Verdict,
)
from timeline.domain import Entry, Finding, Hop, Skew, Stored, Timeline
from timeline.export.facts import fact_json, row_json
from timeline.export.values import Json, moment, number, text, value_json
from timeline.rebuild.flows import Flow, Spread
from timeline.search.query import Window
from timeline.store.port import Bucket, Count, Facet


def _length(ns: int | None) -> int | str | None:
    return None if ns is None else number(ns)


def window_json(window: Window) -> Json:
    """A half-open range, and which clock it is asked on."""
    return {"from": moment(window.start), "to": moment(window.end), "on": window.on}


def cause_json(cause: Cause) -> Json:
    """One reason why absence is not proven."""
    return {
        "kind": cause.kind,
        "sentence": text(cause.sentence),
        "remedy": text(cause.remedy),
        "from": moment(cause.start),
        "to": moment(cause.end),
        "items": cause.items,
        "link": text(cause.link),
    }


def verdict_json(verdict: Verdict) -> Json:
    """Seen, not seen or cannot say, with the counts and causes behind it."""
    return {
        "kind": verdict.kind,
        "sentence": text(verdict.sentence),
        "count": verdict.count,
        "at_least": verdict.at_least,
        "variants": verdict.variants,
        "first": moment(verdict.first),
        "last": moment(verdict.last),
        "up_to": moment(verdict.up_to),
        "causes": [cause_json(cause) for cause in verdict.causes],
    }


def coverage_json(coverage: Coverage) -> Json:
    """What an answer rests on."""
    return {
        "window": window_json(coverage.window),
        "up_to": moment(coverage.up_to),
        "now": moment(coverage.now),
        "recorded_since": moment(coverage.recorded_since),
        "retention_edge": moment(coverage.retention_edge),
        "pending_requests": coverage.pending_requests,
        "pending_items": coverage.pending_items,
        "lines": [
            {"topic": text(line.topic), "state": line.state, "sentence": text(line.sentence)}
            for line in coverage.lines
        ],
        "causes": [cause_json(cause) for cause in coverage.causes],
        "gaps": [
            {"from": moment(gap.start), "to": moment(gap.end), "kind": text(gap.kind)}
            for gap in coverage.gaps
        ],
        "assumptions": [text(line) for line in coverage.assumptions],
    }


def hop_json(hop: Hop) -> Json:
    """One delivery; facts are named by id, ``wait_ns`` and ``work_ns`` are nanoseconds."""
    return {
        "event": value_json(hop.event),
        "destination": value_json(hop.destination),
        "partition": value_json(hop.partition),
        "offset": value_json(hop.offset),
        "group": value_json(hop.group),
        "producer": hop.producer,
        "receiver": hop.receiver,
        "consumer": hop.consumer,
        "settled": hop.settled,
        "producer_service": text(hop.producer_service),
        "consumer_service": text(hop.consumer_service),
        "sent": moment(hop.sent),
        "received": moment(hop.received),
        "started": moment(hop.started),
        "done": moment(hop.done),
        "wait_ns": _length(hop.wait),
        "work_ns": _length(hop.work),
        "attempt": hop.attempt,
        "attempts": hop.attempts,
        "outcome": hop.outcome,
        "joined_by": hop.joined_by,
    }


def finding_json(finding: Finding) -> Json:
    """A judgement and the facts that prove it."""
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "sentence": text(finding.sentence),
        "at": moment(finding.at),
        "evidence": list(finding.evidence),
    }


def skew_json(skew: Skew) -> Json:
    """How far one service's clock runs ahead of another's; a side nobody proved is ``null``."""
    return {
        "service": text(skew.service),
        "against": text(skew.against),
        "low_ns": _length(skew.low),
        "high_ns": _length(skew.high),
        "evidence": list(skew.evidence),
    }


def entry_json(entry: Entry) -> Json:
    """One line of a timeline, in its causal place; ``uncertainty_ns`` is the earliest and latest shift."""
    return {
        "at": moment(entry.at),
        "until": moment(entry.until),
        "uncertainty_ns": None if entry.uncertainty is None else [number(ns) for ns in entry.uncertainty],
        "lane": text(entry.lane),
        "what": text(entry.what),
        "detail": text(entry.detail),
        "fact": entry.fact,
        "kind": entry.kind,
        "depth": entry.depth,
        "parent": entry.parent,
        "status": entry.status,
        "badges": list(entry.badges),
    }


def timeline_json(timeline: Timeline) -> Json:
    """A whole rebuilt story."""
    start, end = timeline.window
    return {
        "subject": text(timeline.subject),
        "window": {"from": moment(start), "to": moment(end)},
        "entries": [entry_json(entry) for entry in timeline.entries],
        "hops": [hop_json(hop) for hop in timeline.hops],
        "findings": [finding_json(finding) for finding in timeline.findings],
        "skew": [skew_json(skew) for skew in timeline.skew],
        "missing": [{"trace_id": ref.trace_id, "span_id": ref.span_id} for ref in timeline.missing],
        "linked": list(timeline.linked),
        "services": [text(service) for service in timeline.services],
        "complete": timeline.complete,
        "truncated": timeline.truncated,
    }


def total_json(total: Count) -> Json:
    """``relation`` is ``eq``, or ``gte`` where counting stopped at a limit."""
    return {"value": total.value, "relation": "gte" if total.at_least else "eq", "variants": total.variants}


def facet_json(facet: Facet) -> Json:
    """The most frequent values of a field; ``sampled`` ones were counted over part of the matches."""
    return {
        "field": text(facet.field),
        "sampled": facet.sampled,
        "values": [{"value": text(one.value), "count": one.count} for one in facet.values],
    }


def bucket_json(bucket: Bucket) -> Json:
    """Facts placed from ``from`` on, for one interval."""
    return {"from": moment(bucket.start), "count": bucket.count, "errors": bucket.errors}


def tail_json(answer: TailAnswer) -> Json:
    """What was received since the last look, newest received first."""
    return {
        "after": moment(answer.after),
        "up_to": moment(answer.up_to),
        "now": moment(answer.now),
        "facts": [fact_json(stored) for stored in answer.facts],
        "skipped": answer.skipped,
        "partial": [text(one) for one in answer.partial],
    }


def search_json(answer: SearchAnswer, facts: Sequence[Stored] | None = None) -> Json:
    """A search: the verdict's word, all of the verdict, coverage, total and facts.

    ``facts`` are whole where they are given, else what the rows hold.
    """
    listed = [row_json(row) for row in answer.rows] if facts is None else [fact_json(one) for one in facts]
    return {
        "verdict": answer.verdict.kind,
        "answer": verdict_json(answer.verdict),
        "query": {"text": text(answer.text), "window": window_json(answer.window), "order": answer.order},
        "understood": text(answer.understood),
        "coverage": coverage_json(answer.coverage),
        "total": total_json(answer.total),
        "facts": listed,
        "next": answer.next,
        "readings": [
            {"label": text(one.label), "text": text(one.text), "count": one.count} for one in answer.readings
        ],
        "facets": [facet_json(facet) for facet in answer.facets],
        "histogram": {
            "interval_ns": number(answer.interval),
            "buckets": [bucket_json(bucket) for bucket in answer.histogram],
        },
        "partial": [text(line) for line in answer.partial],
        "took_ns": number(answer.took),
    }


def fact_answer_json(answer: FactAnswer) -> Json:
    """One fact, whole, with its hops."""
    fact = fact_json(answer.stored, variants=answer.variants, arrivals=answer.arrivals)
    return fact | {
        "hops": [hop_json(hop) for hop in answer.hops],
        "around": [fact_json(one) for one in answer.around],
        "neighbours": [row_json(row) for row in answer.neighbours],
    }


def trace_json(answer: TraceAnswer) -> Json:
    """A trace: its spans and events as facts, in causal order, and the rebuilt story."""
    story = answer.timeline
    place = {entry.fact: rank for rank, entry in enumerate(story.entries)}
    facts = sorted(answer.facts, key=lambda one: (place.get(one.receipt.id, len(place)), one.receipt.id))
    listed = [fact_json(one) for one in facts]
    return {
        "trace_id": answer.trace_id,
        "spans": [one for one in listed if one["fact"] == "span"],
        "events": [one for one in listed if one["fact"] == "event"],
        "hops": [hop_json(hop) for hop in story.hops],
        "findings": [finding_json(finding) for finding in story.findings],
        "skew": [skew_json(skew) for skew in story.skew],
        "missing": [{"trace_id": ref.trace_id, "span_id": ref.span_id} for ref in story.missing],
        "linked": list(story.linked),
        "services": [text(service) for service in story.services],
        "complete": story.complete and not answer.partial,
        "truncated": story.truncated,
        "coverage": coverage_json(answer.coverage),
        "partial": [text(line) for line in answer.partial],
    }


def entity_json(answer: EntityAnswer) -> Json:
    """An entity's ``Timeline`` with what it rests on and what else its facts are about."""
    return timeline_json(answer.timeline) | {
        "entity": text(str(answer.entity)),
        "context_count": answer.context_count,
        "related": [{"entity": text(name), "facts": count} for name, count in answer.related],
        "coverage": coverage_json(answer.coverage),
        "partial": [text(line) for line in answer.partial],
    }


def id_verdict_json(one: IdVerdict) -> Json:
    """The verdict on one pasted id, with where it was last seen."""
    return {
        "id": text(one.id),
        "verdict": one.verdict.kind,
        "answer": verdict_json(one.verdict),
        "newest": None if one.newest is None else row_json(one.newest),
    }


def seen_json(answer: SeenAnswer) -> Json:
    """Verdicts for many ids; ``missing`` lists the ids not seen, ready to be passed on."""
    return {
        "seen": answer.seen,
        "not_seen": answer.not_seen,
        "cannot_say": answer.cannot_say,
        "verdicts": [id_verdict_json(one) for one in answer.verdicts],
        "missing": [text(one.id) for one in answer.verdicts if one.verdict.kind == "not_seen"],
        "coverage": coverage_json(answer.coverage),
    }


def _spread_json(spread: Spread | None) -> Json | None:
    return (
        None
        if spread is None
        else {f"{name}_ns": number(getattr(spread, name)) for name in ("p50", "p95", "p99")}
    )


def flow_json(flow: Flow) -> Json:
    """What one service sent through one destination to one consumer; the facts are examples."""
    return {
        "producer": text(flow.producer),
        "destination": text(flow.destination),
        "consumer": text(flow.consumer),
        "group": None if flow.group is None else text(flow.group),
        "taken": flow.taken,
        "failed": flow.failed,
        "again": flow.again,
        "not_taken": flow.open,
        "not_taken_since": moment(flow.oldest),
        "per_second": flow.rate,
        "wait": _spread_json(flow.wait),
        "work": _spread_json(flow.work),
        "facts": {
            "slowest": flow.slowest or None,
            "failed": flow.failure or None,
            "not_taken": flow.waiting or None,
        },
    }


def flows_json(answer: FlowsAnswer) -> Json:
    """Every flow of a range, told by the newest message spans of it."""
    return {
        "flows": [flow_json(flow) for flow in answer.flows],
        "destinations": [{"name": text(name), "spans": count} for name, count in answer.destinations],
        "looked_at": answer.looked_at,
        "since": moment(answer.since),
        "coverage": coverage_json(answer.coverage),
    }


def destination_json(answer: DestinationAnswer) -> Json:
    """One topic, queue or stream."""
    return {
        "name": text(answer.name),
        "systems": [text(system) for system in answer.systems],
        "spans": answer.count,
        "looked_at": answer.looked_at,
        "since": moment(answer.since),
        "flows": [flow_json(flow) for flow in answer.flows],
        "partitions": [
            {
                "name": text(part.name),
                "messages": part.messages,
                "keys": part.keys,
                "newest_offset": part.newest,
            }
            for part in answer.partitions
        ],
        "keys": [{"key": text(key), "messages": count} for key, count in answer.keys],
        "keys_on_several_partitions": [
            {"key": text(key), "partitions": [text(place) for place in places]} for key, places in answer.torn
        ],
        "lanes": [
            {
                **{
                    name: text(getattr(lane, name))
                    for name in ("operation", "service", "version", "schema", "group")
                },
                "messages": lane.count,
                "first": moment(lane.first),
                "last": moment(lane.last),
            }
            for lane in answer.lanes
        ],
        "sizes": [
            {
                "from": moment(size.start),
                "messages": size.count,
                "p50": size.p50,
                "p95": size.p95,
                "most": size.most,
            }
            for size in answer.sizes
        ],
        "coverage": coverage_json(answer.coverage),
    }
