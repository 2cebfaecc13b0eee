"""A record of Kafka as the tap understands it: a CloudEvent, or what its topic's rule says.

Nothing of a record is ever refused: what cannot be read as it should be stays as it is, with a word why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from timeline.broker.tap.rules import Rule, TopicRules, at
from timeline.domain import Value
from timeline.errors import BadQuery, Rejected
from timeline.ingest import cloudevents
from timeline.ingest.identity import usable
from timeline.ingest.normalise import rfc3339
from timeline.ingest.tapped import Record
from timeline.ingest.values import UNITS, clean, loads, ticks
from timeline.search.times import parse_time

PROBLEM: Final = "throughline.tap.problem"
HEADER: Final = "messaging.header."
_LONGEST: Final = 100_000  # characters of a text field
_TEXTS: Final = (
    "id", "source", "subject", "service", "environment", "correlation", "causation", "sequence", "schema", "message_id",
)  # fmt: skip
_CONTEXT: Final = ("traceparent", "tracestate")


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """A record as Kafka gives it; ``stamped`` in ns, ``None`` where it has no time."""

    topic: str
    partition: int
    offset: int
    stamped: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


def record_of(raw: Raw, rules: TopicRules, now: int) -> Record:
    """The record as it is accepted; never raises, since the tap would end at this record at every start."""
    try:
        return _read(raw, rules, now)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is this record's
        # without its value: rules of redaction look for names in it, and it may not have been understood
        problem = f"it could not be read ({type(error).__name__}), and its value is in Kafka alone; please report it"
        return Record(name=raw.topic, attributes={PROBLEM: problem}, **_place(raw))


def _place(raw: Raw) -> dict[str, Any]:
    return {
        "topic": raw.topic,
        "partition": raw.partition,
        "offset": raw.offset,
        "stamped": raw.stamped,
        "key": _key(raw.key),
        "size": len(raw.value or b""),
    }


def _read(raw: Raw, rules: TopicRules, now: int) -> Record:
    headers = _headers(raw)
    base = {
        **_place(raw),
        "header_bytes": sum(len(name.encode()) + len(value or b"") for name, value in raw.headers),
        **{name: headers.get(name, "") for name in _CONTEXT},
    }
    problem = ""
    draft = None
    try:
        draft = _cloudevent(raw, headers)
    except Rejected as error:
        problem = f"no CloudEvent: {error.message}"
    made = _of_event(draft, base) if draft else _of_rule(raw, rules.of(raw.topic), headers, base, now)
    extra: dict[str, Any] = {
        HEADER + name: value
        for name, value in headers.items()
        if name not in _CONTEXT and not (draft and name.startswith("ce_")) and rules.of(raw.topic).headers
    }
    if raw.value is None:
        extra["messaging.kafka.message.tombstone"] = True
    if problem or made.attributes.get(PROBLEM):
        extra[PROBLEM] = problem or made.attributes[PROBLEM]
    return msgspec.structs.replace(made, attributes={**made.attributes, **extra})


def _headers(raw: Raw) -> dict[str, str]:
    """Headers by lower-case name, the last of a repeated one, as text."""
    return {name.lower(): (value or b"").decode("utf-8", "replace") for name, value in raw.headers}


def _key(key: bytes | None) -> str:
    if not key:
        return ""
    try:
        text = key.decode()
        return text if text.isprintable() else key.hex()
    except UnicodeDecodeError:
        return key.hex()


def _cloudevent(raw: Raw, headers: dict[str, str]) -> cloudevents.Draft | None:
    """The event of a record (Kafka protocol binding 1.0.2): structured by its content type, binary by ``ce_``."""
    media = headers.get("content-type", "")
    structured = media.lower().startswith("application/cloudevents")
    if not structured and "ce_specversion" not in headers:
        return None
    named = {f"ce-{name[3:]}": value for name, value in headers.items() if name.startswith("ce_")}
    if media:
        named["content-type"] = media
    found = cloudevents.read(named, raw.value or b"", max_items=1)
    if found.refused:
        raise BadQuery(found.refused[0].message)
    if not found.drafts:
        raise BadQuery("a batch without an event")
    return found.drafts[0][1]


def _of_event(draft: cloudevents.Draft, base: dict[str, Any]) -> Record:
    attributes, body = draft
    texts = {
        name: value if isinstance(value, str) else str(value).lower() for name, value in attributes.items()
    }
    return Record(
        name=texts["type"],
        at=cloudevents.moment(texts, "time"),
        id=texts["id"],
        source=texts["source"],
        subject=texts.get("subject", ""),
        service=texts.get("servicename", ""),
        environment=texts.get("deploymentenvironmentname", ""),
        correlation=texts.get("correlationid", ""),
        causation=texts.get("causationid", ""),
        sequence=texts.get("sequence", ""),
        schema=texts.get("dataschema", ""),
        body=body,
        attributes=attributes,
        **(base | {name: texts[name] for name in _CONTEXT if name in texts}),
    )


def _of_rule(raw: Raw, rule: Rule, headers: dict[str, str], base: dict[str, Any], now: int) -> Record:
    found = {
        "topic": raw.topic,
        "key": _value(raw.key),
        "value": _value(raw.value),
        "headers": headers,
    }
    problems: list[str] = []
    texts: dict[str, Any] = {field: _text(getattr(rule, field), found) for field in _TEXTS}
    attributes: dict[str, Any] = {}
    for place in rule.attributes:
        value = at(place, found)
        if value not in (None, ""):
            attributes[place.removeprefix("header:").lstrip("/").replace("/", ".")] = clean(value)
    for kind, place in rule.entities.items():
        if entity := _text(place, found):
            attributes[f"throughline.entity.{kind}"] = entity
    moment = None
    if rule.time:
        try:
            moment = _time(at(rule.time, found), rule.time_format, now)
        except (ValueError, OverflowError, BadQuery):
            problems.append(f"no time at {rule.time}")
    name = _text(rule.type, found)
    if not name:
        problems.append(f"no type at {rule.type}")
    if problems:
        attributes[PROBLEM] = "; ".join(problems)
    body = at(rule.body, found) if rule.body else None
    return Record(name=name or raw.topic, at=moment, body=clean(body), attributes=attributes, **texts, **base)


def _value(data: bytes | None) -> Value:
    """JSON as what it says, text as text, anything else as its bytes."""
    if not data:
        return None
    if data.lstrip()[:1] in (b"{", b"[", b'"') or data[:1].isdigit():
        try:
            found: Value = loads(data)
            return found
        except Rejected:
            pass
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _text(place: str, found: dict[str, Any]) -> str:
    value = at(place, found) if place else None
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, bytes):
        return value.hex()[:_LONGEST]
    return (str(value).lower() if isinstance(value, bool) else str(value)).strip()[:_LONGEST]


def _time(value: Any, form: str, now: int) -> int:
    """Raises ``ValueError`` for what is no time of the years 2000 to 2099."""
    if value is None or isinstance(value, bool | dict | list | bytes):
        raise ValueError(value)
    text = str(value).strip()
    if form in UNITS:
        moment = ticks(text, form)
    else:
        exact = rfc3339(text)
        moment = exact if exact is not None else parse_time(text, now)
    if not usable(moment):
        raise ValueError(text)
    return moment
