"""One fact, whole: clocks, message, body, hops, entities, attributes, variants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from timeline.answers import FactAnswer
from timeline.domain import Event, Fact, Hop, Span, Stored
from timeline.web import colours, words
from timeline.web.contexts.frame import entity_path, link
from timeline.web.contexts.histogram import percent
from timeline.web.contexts.rows import row_line
from timeline.web.contexts.values import attributes, differences, pretty

LONG_WAIT = 10 * words.SECOND  # a wait that a reader should not overlook
KINDS = {"cloudevent": "Event", "log": "Log record", "record": "Broker record", "import": "Imported row"}
_TIMES = ("", "once", "twice")


def name_of(fact: Fact) -> str:
    """What people call it: the event's type, else the operation."""
    return (fact.event.type if fact.event and fact.event.type else fact.name) or (
        "span" if isinstance(fact, Span) else fact.kind
    )


def fact_page(answer: FactAnswer, params: Mapping[str, str]) -> dict[str, Any]:
    """Everything the fact template shows."""
    fact, receipt = answer.stored.fact, answer.stored.receipt
    around = {stored.receipt.id: stored for stored in answer.around}
    services = [fact.service, *(stored.fact.service for stored in answer.around)]
    for hop in answer.hops:
        services += [hop.producer_service, hop.consumer_service]
    hues = colours.assign(
        service for service in [*services, *(row.service for row in answer.neighbours)] if service
    )
    came = [_hop(hop, around, hues, params, up=True) for hop in answer.hops if not _sent(answer.stored, hop)]
    went = [_hop(hop, around, hues, params, up=False) for hop in answer.hops if _sent(answer.stored, hop)]
    body = fact.body if isinstance(fact, Event) else None
    entity = fact.entities[0] if fact.entities else None
    return {
        "fact": fact,
        "receipt": receipt,
        "name": name_of(fact),
        "is_span": isinstance(fact, Span),
        "kind_said": "Span" if isinstance(fact, Span) else KINDS[fact.kind],
        "hue": hues.get(fact.service, 0),
        "sentence": sentence(answer),
        "failed": isinstance(fact, Span) and fact.status == "error",
        "clocks": clocks(answer),
        "message": message_lines(fact),
        "body": pretty(body) if body is not None else None,
        "came": came,
        "went": went,
        "entities": [{"name": str(each), "href": link(entity_path(str(each)), params)} for each in fact.entities],
        "along": [{"name": str(each), "href": link(entity_path(str(each)), params)} for each in fact.context],
        "groups": _groups(fact),
        "attribute_count": len(fact.attributes),
        "sizes": sizes(fact),
        "links": [{"trace": each.ref.trace_id, "href": link(f"/traces/{each.ref.trace_id}", params, span=each.ref.span_id), "attributes": attributes(each.attributes)} for each in fact.links] if isinstance(fact, Span) else [],
        "annotations": [{"at": each.at, "name": each.name, "attributes": attributes(each.attributes)} for each in fact.annotations] if isinstance(fact, Span) else [],
        "arrivals": answer.arrivals,
        "variants": [_variant(answer.stored, other) for other in answer.variants],
        "neighbours": [row_line(row, params, hues) for row in answer.neighbours],
        "trace_href": link(f"/traces/{fact.ref.trace_id}", params, span=fact.ref.span_id) if fact.ref else "",
        "entity_href": link(entity_path(str(entity)), params) if entity else "",
        "entity_name": str(entity) if entity else "",
        "json_href": f"/api/v1/facts/{receipt.id}",
        "waits": [hop.wait for hop in answer.hops if hop.wait is not None and hop.wait >= LONG_WAIT and _sent(answer.stored, hop)][:1],
    }  # fmt: skip


def _sent(stored: Stored, hop: Hop) -> bool:
    """Whether the hop leads away from this fact: it sent the message, or it is what was sent."""
    if stored.receipt.id in (hop.receiver, hop.consumer, hop.settled):
        return False
    operation = stored.fact.message.operation if stored.fact.message else None
    return stored.receipt.id == hop.producer or operation in (None, "create", "send")


def sentence(answer: FactAnswer) -> str:
    """What it is, who said it when, and who took it; only what the hops prove."""
    fact = answer.stored.fact
    at = f"{words.clock(fact.at)} UTC" if fact.at is not None else "a time its sender did not give"
    said = f"{name_of(fact)} by {fact.service or 'an unnamed service'} at {at}"
    if isinstance(fact, Span) and fact.status == "error":
        said += ", failed"
    sent = [hop for hop in answer.hops if _sent(answer.stored, hop)]
    taken = [hop for hop in sent if hop.wait is not None]
    if taken:
        first = min(taken, key=lambda hop: hop.wait or 0)
        takers = sorted({hop.consumer_service for hop in taken if hop.consumer_service})
        attempts = len([hop for hop in taken if hop.consumer_service == first.consumer_service])
        often = _TIMES[attempts] if attempts < len(_TIMES) else f"{attempts} times"
        who = takers[0] if len(takers) == 1 else words.plural(len(takers), "service")
        said += f"; {who or 'a consumer'} took it {words.length(first.wait)} later"
        said += f", {often}" if attempts > 1 and len(takers) < 2 else ""
    elif any(hop.outcome == "unconsumed" for hop in sent):
        said += "; nobody took it"
    return f"{said}."


def clocks(answer: FactAnswer) -> dict[str, Any]:
    """Every clock that spoke of this fact, in order, with the distance from the first."""
    fact, receipt = answer.stored.fact, answer.stored.receipt
    where = fact.instance or fact.service
    spoke: list[tuple[int, str, str, str]] = []
    if fact.at is not None:
        spoke.append((fact.at, "Started" if isinstance(fact, Span) else "Event", where, "set by the sender"))
    if fact.until is not None:
        spoke.append((fact.until, "Ended", where, "set by the sender"))
    if isinstance(fact, Event) and fact.observed is not None:
        spoke.append((fact.observed, "Observed", where, "when the sender's SDK saw it"))
    for hop in answer.hops:
        if _sent(answer.stored, hop):
            group = f"by group {hop.group}" if hop.group else "by the consumer"
            spoke += [
                (at, label, hop.consumer_service, note)
                for at, label, note in (
                    (hop.received, "Received", group),
                    (hop.started, "Handled", f"attempt {hop.attempt}"),
                )
                if at is not None
            ]
        elif hop.sent is not None:
            spoke.append(
                (
                    hop.sent,
                    "Sent",
                    hop.producer_service,
                    f"to {hop.destination}" if hop.destination else "by the producer",
                )
            )
    spoke.append((receipt.received, "Accepted", "Throughline", "on disk in the inbox"))
    spoke = sorted(set(spoke))[:12]
    first = spoke[0][0]
    lines, last = [], first
    for number, (at, label, by, note) in enumerate(spoke):
        lines.append(
            {
                "at": at,
                "label": label,
                "by": by,
                "note": note,
                "since": at - first,
                "long": at - last >= LONG_WAIT and label in ("Received", "Handled"),
                "x": percent(number + 0.5, len(spoke)),
                "from": percent(number - 0.5, len(spoke)),
            }
        )
        last = at
    return {"lines": lines, "step": percent(1, len(spoke)), "edge": percent(0.5, len(spoke)), "edge_end": percent(len(spoke) - 0.5, len(spoke))}  # fmt: skip


def message_lines(fact: Fact) -> list[tuple[str, str]]:
    """The message's coordinates and the event's own names, as label and value."""
    lines: list[tuple[str, str]] = []
    if fact.message is not None:
        message = msgspec.structs.asdict(fact.message)
        message["body_size"] = words.size(fact.message.body_size)
        message["header_bytes"] = words.size(fact.message.header_bytes)
        labels = (
            ("system", "System"), ("cluster", "Cluster"), ("operation", "Operation"), ("destination", "Destination"),
            ("partition", "Partition"), ("offset", "Offset"), ("key", "Key"), ("id", "Message id"), ("group", "Consumer group"),
            ("attempt", "Attempt"), ("batch_count", "Batch of"), ("conversation_id", "Conversation"), ("schema", "Schema"),
            ("body_size", "Body"), ("header_bytes", "Headers"),
        )  # fmt: skip
        lines += [(label, str(message[name])) for name, label in labels if message[name] not in (None, "")]
    if fact.event is not None:
        event = msgspec.structs.asdict(fact.event)
        labels_of_event = (
            ("id", "Event id"),
            ("source", "Source"),
            ("type", "Type"),
            ("subject", "Subject"),
            ("correlation_id", "Correlation"),
            ("causation_id", "Causation"),
            ("sequence", "Sequence"),
        )
        lines += [
            (label, str(event[name])) for name, label in labels_of_event if event[name] not in (None, "")
        ]
    return lines


def sizes(fact: Fact) -> list[dict[str, Any]]:
    """The parts of a fact by the bytes that they take as JSON, largest first, as shares of the whole."""
    parts: dict[str, Any] = {"Attributes": fact.attributes, "Resource": fact.resource}
    if isinstance(fact, Span):
        parts |= {"Annotations": fact.annotations, "Links": fact.links}
    elif fact.body is not None:
        parts["Body"] = fact.body
    measured = {label: len(msgspec.json.encode(part)) for label, part in parts.items() if part}
    whole = sum(measured.values())
    return [
        {"label": label, "bytes": size, "width": percent(size, whole)}
        for label, size in sorted(measured.items(), key=lambda item: -item[1])
    ]


def _hop(
    hop: Hop, around: Mapping[str, Stored], hues: Mapping[str, int], params: Mapping[str, str], *, up: bool
) -> dict[str, Any]:
    other_id = hop.producer if up else hop.consumer or hop.receiver
    service = hop.producer_service if up else hop.consumer_service
    other = around.get(other_id or "")
    place = "/".join(str(part) for part in (hop.destination, hop.partition, hop.offset) if part is not None)
    title = (
        name_of(other.fact)
        if other
        else (
            f"{hop.consumer_service or hop.group or 'nobody'}"
            if not up
            else hop.producer_service or "unknown sender"
        )
    )
    if not up and hop.attempts > 1:
        title = f"Attempt {hop.attempt} of {hop.attempts}"
    return {
        "title": title,
        "service": service or hop.group or "",
        "hue": hues.get(service, 0),
        "href": link(f"/facts/{other_id}", params) if other_id else "",
        "place": place,
        "outcome": hop.outcome,
        "joined_by": hop.joined_by,
        "wait": hop.wait,
        "work": hop.work,
        "long": hop.wait is not None and hop.wait >= LONG_WAIT,
    }


def _groups(fact: Fact) -> list[dict[str, Any]]:
    scope = {
        "name": fact.scope.name,
        "version": fact.scope.version,
        "schema_url": fact.scope.schema_url or fact.schema_url,
        **fact.scope.attributes,
    }
    groups = (
        ("Attributes", fact.attributes),
        ("Resource", fact.resource),
        ("Scope", {key: value for key, value in scope.items() if value != ""}),
    )
    return [
        {"label": label, "items": attributes(pairs), "count": len(pairs)} for label, pairs in groups if pairs
    ]


def _variant(stored: Stored, other: Stored) -> dict[str, Any]:
    one, two = (msgspec.to_builtins(each.fact, builtin_types=(bytes,)) for each in (stored, other))
    return {
        "at": other.receipt.received,
        "href": f"/facts/{other.receipt.id}",
        "differs": differences(one, two, most=3),
    }
