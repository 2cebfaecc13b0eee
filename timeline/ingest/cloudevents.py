"""CloudEvents 1.0.2 over HTTP to facts: binary, structured JSON and JSON batches.

Every event is judged alone, also in a batch. The specification knows one answer per request
and no partial success; refusing a whole batch for one bad event would lose the good ones of
every sender that does not try again, and taking the rest in silence would hide the loss. So
the good events are kept, and ``refused`` tells the receiver to answer 400 with the list.
A sender that then repeats the whole batch does no harm: its good events are known by source
and id.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any, Final, NamedTuple

import msgspec

from timeline.domain import Event, EventInfo, Message, SpanRef, Stored, Value
from timeline.errors import MalformedPayload, Rejected, TooLarge, UnsupportedPayload
from timeline.ingest.entities import Rules, entities_of
from timeline.ingest.facts import store
from timeline.ingest.identity import content_of
from timeline.ingest.normalise import rfc3339, samples
from timeline.ingest.parsed import check_count, refuse
from timeline.ingest.pieces import more_leaves
from timeline.ingest.request import Accepted, BadItem
from timeline.ingest.values import MAX_DEPTH, clean, loads

_BATCH: Final = "application/cloudevents-batch"
_STRUCTURED: Final = "application/cloudevents"
_REQUIRED: Final = ("id", "source", "specversion", "type")
_NAME: Final = re.compile(r"[a-z0-9]+")
_PERCENT: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)
_FORBIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17))
    + "]"
)
_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_ENVELOPE_DEPTH: Final = 4 * MAX_DEPTH  # beyond it not even the good events of a batch are told apart
_REMEDY: Final = "send CloudEvents 1.0: ce- headers, or application/cloudevents+json"


class Draft(NamedTuple):
    """One valid event: its context attributes as sent, and its data decoded."""

    attributes: dict[str, Any]
    data: Value


class Batch(NamedTuple):
    """The events of one request; drafts and refused items keep their positions."""

    items: int
    drafts: list[tuple[int, Draft]]
    refused: list[BadItem]


class _BadEventError(ValueError):
    """An event that breaks a rule: a slug and a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.verdict = (reason, message)


def read(headers: dict[str, str], body: bytes, *, max_items: int) -> Batch:
    """The events of a plain (inflated) body in the mode its headers name.

    Raises ``UnsupportedPayload`` for what is no CloudEvent or a format other than JSON,
    ``MalformedPayload`` where the envelope cannot be read, ``TooLarge`` beyond the limits.
    """
    content_type = headers.get("content-type", "").strip()
    media = content_type.partition(";")[0].strip().lower()
    if media.startswith(_BATCH):
        _only_json(media, _BATCH)
        found = loads(body, max_depth=_ENVELOPE_DEPTH, check=lambda found: _check_batch(found, max_items))
        return _judged(found, _as_written(body, found))
    if media.startswith(_STRUCTURED):
        _only_json(media, _STRUCTURED)
        found = _json(body)
        if not isinstance(found, dict):
            raise MalformedPayload("a structured event is a JSON object", remedy=_REMEDY)
        return _judged([found], [_as_written(body, found)])
    missing = [name for name in _REQUIRED if f"ce-{name}" not in headers]
    if missing:
        raise UnsupportedPayload(
            f"this is no CloudEvent: content type {media[:80]!r}, and no header ce-{missing[0]}",
            remedy=_REMEDY,
        )
    try:
        return Batch(1, [(0, _binary(headers, content_type, body))], [])
    except _BadEventError as error:
        return Batch(1, [], [refuse(0, error.verdict, _as_sent(headers, body))])


def tree(draft: Draft) -> dict[str, Any]:
    """One event in the JSON format."""
    name = "data_base64" if isinstance(draft.data, bytes) else "data"
    return {**draft.attributes, name: draft.data}


def fact(accepted: Accepted, rules: Rules, draft: Draft, position: int) -> Stored:
    """One event as a fact, named by its type and identified by source and id."""
    attributes, body = draft
    texts = {name: _canonical(value) for name, value in attributes.items()}
    info = EventInfo(
        source=texts["source"],
        id=texts["id"],
        type=texts["type"],
        subject=texts.get("subject") or None,
        time=moment(texts, "time"),
        correlation_id=texts.get("correlationid") or None,
        causation_id=texts.get("causationid") or None,
        sequence=texts.get("sequence") or None,
    )
    key, schema = texts.get("partitionkey") or None, texts.get("dataschema") or None
    message = Message(key=key, schema=schema) if key or schema else None
    ref, flags = origin_of(texts.get("traceparent", ""))
    observed = moment(texts, "recordedtime")
    subjects, context = entities_of(
        rules, rules.plan(attributes), attributes, message=message, event=info, body=body
    )
    texts["datacontenttype"] = (
        texts.get("datacontenttype", "application/json").partition(";")[0].strip().lower()
    )
    made = Event(
        kind="cloudevent",
        name=texts["type"],
        ref=ref,
        service=texts.get("servicename") or publisher(texts["source"]),
        instance=texts.get("serviceinstanceid", ""),
        version=texts.get("serviceversion", ""),
        environment=texts.get("deploymentenvironmentname") or accepted.environment,
        at=info.time if info.time is not None else observed,
        observed=observed,
        body=body,
        flags=flags,
        message=message,
        event=info,
        entities=subjects,
        context=context,
        attributes=attributes,
    )
    return store(
        accepted,
        made,
        identity=("cloudevent", texts["source"], texts["id"]),
        content=content_of(texts, body),
        position=position,
        sampled=samples(texts.get("tracestate", "")),
        partial=more_leaves(body),
    )


def publisher(source: str) -> str:
    """The service that a CloudEvents ``source`` (a URI reference, 3.1.1) speaks of, for senders that
    name none: the host of a URL, the first segment of a path, else all of it."""
    _, scheme, rest = source.partition("://")
    if scheme:
        return rest.partition("/")[0].rpartition("@")[2]
    return source if source.startswith("urn:") else source.strip("/").partition("/")[0]


def origin_of(traceparent: str) -> tuple[SpanRef | None, int]:
    """The span and flags of a W3C traceparent (level 2); nothing of an invalid one is used."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None, 0
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not (trace_id.strip("0") and span_id.strip("0")):
        return None, 0
    return SpanRef(trace_id=trace_id, span_id=span_id), int(flags, 16)


def _only_json(media: str, prefix: str) -> None:
    if media != f"{prefix}+json":
        raise UnsupportedPayload(f"event format {media[:80]!r} is not offered", remedy=f"send {prefix}+json")


def _check_batch(found: Any, max_items: int) -> None:
    if not isinstance(found, list):
        raise MalformedPayload("a batch is a JSON array of events", remedy=_REMEDY)
    check_count(len(found), max_items)


def _json(body: bytes) -> Any:
    return loads(body, max_depth=_ENVELOPE_DEPTH)


def _as_written(body: bytes, found: Any) -> Any:
    """The same before lone surrogates were replaced, where there may be any: attributes must not hold them."""
    if b"\\ud" not in body and b"\\uD" not in body:
        return found
    return loads(body, max_depth=_ENVELOPE_DEPTH, cleaned=False)


def _judged(found: list[Any], written: list[Any]) -> Batch:
    drafts, refused = [], []
    for position, (one, raw) in enumerate(zip(found, written, strict=True)):
        try:
            if raw is not one:
                _check_text(raw)
            drafts.append((position, _structured(one)))
        except _BadEventError as error:
            refused.append(refuse(position, error.verdict, msgspec.json.encode(one)))
    return Batch(len(found), drafts, refused)


def _check_text(raw: Any) -> None:
    for name, value in raw.items() if isinstance(raw, dict) else ():
        if name != "data" and type(value) is str and _FORBIDDEN.search(value):
            raise _BadEventError("bad_attribute", f"attribute {name[:40]!r} holds a forbidden character")


def _structured(found: Any) -> Draft:
    """One event in the JSON format (``json-format.md``); null is absent."""
    if not isinstance(found, dict):
        raise _BadEventError("not_an_object", "an event is a JSON object")
    attributes = {
        name: value
        for name, value in found.items()
        if value is not None and name not in ("data", "data_base64")
    }
    data, encoded = found.get("data"), found.get("data_base64")
    if data is not None and encoded is not None:
        raise _BadEventError("data_twice", "an event has data or data_base64, never both")
    _check(attributes)
    if encoded is not None:
        return Draft(attributes, _content(_base64(encoded), attributes.get("datacontenttype", "")))
    try:
        return Draft(attributes, clean(data))
    except TooLarge as error:
        raise _BadEventError("too_deep", f"{error.message}; {error.remedy}") from error


def _binary(headers: dict[str, str], content_type: str, body: bytes) -> Draft:
    """One event in the binary content mode (``http-protocol-binding.md`` section 3.1)."""
    attributes: dict[str, Any] = {
        name[3:]: _header(name, value) for name, value in headers.items() if name.startswith("ce-")
    }
    if "datacontenttype" in attributes:
        raise _BadEventError("bad_name", "send the Content-Type header, never ce-datacontenttype")
    if content_type:
        attributes["datacontenttype"] = content_type
    _check(attributes)
    return Draft(attributes, _content(body, content_type) if body else None)


def _header(name: str, value: str) -> str:
    """A header's text: unquoted, percent-decoded once, and valid UTF-8."""
    try:
        raw = value.encode("latin-1")
    except UnicodeEncodeError:
        raw = value.encode("utf-8", "surrogatepass")
    raw = raw.strip(b" \t")
    if len(raw) >= 2 and raw[:1] == raw[-1:] == b'"':
        raw = _ESCAPE.sub(rb"\1", raw[1:-1])
    raw = _PERCENT.sub(lambda found: bytes.fromhex(found[1].decode("ascii")), raw)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _BadEventError("bad_utf8", f"header {name} is not valid UTF-8 once percent-decoded") from error


def _check(attributes: dict[str, Any]) -> None:
    """The rules for context attributes (``spec.md``, "Context Attributes" and "Type System")."""
    for name, value in attributes.items():
        if not _NAME.fullmatch(name) or name == "data":
            raise _BadEventError("bad_name", f"attribute name {name[:40]!r} is not made of a-z and 0-9")
        kind = type(value)
        if kind is int:
            if not -(1 << 31) <= value < 1 << 31:
                raise _BadEventError("bad_attribute", f"integer attribute {name} needs more than 32 bits")
        elif kind is str:
            if _FORBIDDEN.search(value):
                raise _BadEventError("bad_attribute", f"attribute {name} holds a forbidden character")
        elif kind is not bool:
            raise _BadEventError("bad_attribute", f"attribute {name} is no string, integer or boolean")
    for name in _REQUIRED:
        if type(attributes.get(name)) is not str or not attributes[name]:
            raise _BadEventError(f"no_{name}", f"attribute {name} is required, as text that is not empty")
    if attributes["specversion"] != "1.0":
        raise _BadEventError("bad_specversion", "only specversion 1.0 is offered")
    for name in ("subject", "datacontenttype", "dataschema"):
        if type(attributes.get(name, "")) is not str:
            raise _BadEventError("bad_attribute", f"attribute {name} is no text")
    for name in ("time", "recordedtime"):
        if name in attributes and rfc3339(str(attributes[name])) is None:
            raise _BadEventError("bad_time", f"attribute {name} is no RFC 3339 time")


def _canonical(value: Any) -> str:
    """The text form in which a header carries the value, so that both modes hash alike."""
    return value if type(value) is str else str(value).lower()


def moment(texts: dict[str, str], name: str) -> int | None:
    """The time that an attribute holds (ns); ``None`` for none, and for one that 63 bits cannot hold, which
    stays readable among the attributes."""
    found = rfc3339(texts[name]) if name in texts else None
    return found if found is not None and abs(found) < 1 << 63 else None


def _base64(encoded: Any) -> bytes:
    try:
        return b64decode(encoded.encode("ascii"), validate=True)
    except (ValueError, AttributeError) as error:
        raise _BadEventError("bad_base64", "data_base64 is not base64 text") from error


def _content(data: bytes, content_type: str) -> Value:
    """Bytes as what their media type says; what does not fit its type stays text or bytes."""
    media, _, parameters = content_type.lower().partition(";")
    media = media.strip()
    if media.endswith(("/json", "+json")):
        try:
            return loads(data)
        except Rejected:
            return _as_text(data, "utf-8")
    if media.startswith("text/") or media.endswith(("/xml", "+xml")):
        found = re.search(r'charset="?([a-z0-9._-]{1,40})', parameters)
        return _as_text(data, found[1] if found else "utf-8")
    return data


def _as_text(data: bytes, charset: str) -> str | bytes:
    try:
        return data.decode(charset)
    except (UnicodeError, LookupError):
        return data


def _as_sent(headers: dict[str, str], body: bytes) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in sorted(headers.items()))
    return lines.encode("utf-8", "replace") + b"\r\n" + body
