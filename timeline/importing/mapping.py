"""What the columns of a file mean, from a TOML file.

A field is read from a column or top-level key of that name, from a JSON pointer (RFC 6901) where
it starts with ``/``, or is the text itself after a leading ``=``.
"""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from timeline.errors import BadQuery, MalformedPayload, Rejected
from timeline.ingest.identity import usable
from timeline.ingest.normalise import rfc3339
from timeline.ingest.rows import Row
from timeline.ingest.values import UNITS, clean, loads, pointed, ticks
from timeline.search.times import parse_time

_TEXTS: Final = ("id", "source", "subject", "service", "environment", "correlation", "causation", "sequence")
_LONGEST: Final = 100_000  # characters of a text field
REMEDY: Final = "see docs/importing.md, or let --suggest write a mapping"


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where each field of a row is read."""

    time: str
    type: str
    id: str = ""
    source: str = ""
    subject: str = ""
    service: str = ""
    environment: str = ""
    correlation: str = ""
    causation: str = ""
    sequence: str = ""
    body: str = ""


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping file: the import's name, how time is written, and where everything is read.

    ``attributes`` names columns to keep; without it all that nothing else reads are kept.
    """

    name: str
    fields: Fields
    time_format: str = "auto"  # auto, s, ms, us, ns, or as strptime takes it
    time_zone: str = "UTC"  # of times that name none
    delimiter: str = ","
    entities: dict[str, str] = {}
    attributes: list[str] | None = None

    @property
    def zone(self) -> tzinfo:
        """The zone as an object."""
        return UTC if self.time_zone == "UTC" else ZoneInfo(self.time_zone)


class BadRowError(ValueError):
    """A row that cannot become a fact: a slug and a sentence with the remedy."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def read(text: str) -> Mapping:
    """The mapping of a TOML text; raises ``MalformedPayload`` that says where it is wrong."""
    try:
        found = msgspec.convert(tomllib.loads(text), Mapping)
        found.zone  # noqa: B018 - an unknown zone is told now, not with the first row
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, OSError, KeyError, ValueError) as error:
        raise MalformedPayload(f"the mapping cannot be read: {error}", remedy=REMEDY) from error
    if not found.name or len(found.name) > 100:
        raise MalformedPayload("the mapping needs a name of 1 to 100 characters", remedy=REMEDY)
    if len(found.delimiter) != 1:
        raise MalformedPayload("the delimiter is one character", remedy='for tabs: delimiter = "\\t"')
    return found


def row_of(mapping: Mapping, record: dict[str, Any], now: int) -> Row:
    """A record (column or key to value) as a row; raises ``BadRowError``."""
    fields = mapping.fields
    at = _time(mapping, record, now)
    name = _text(record, fields.type, "type")
    if not name:
        raise BadRowError("no_type", f"nothing at {fields.type!r}, which is to be the type")
    texts: dict[str, Any] = {field: _text(record, getattr(fields, field), field) for field in _TEXTS}
    attributes = {key: clean(value) for key, value in _kept(mapping, record).items()}
    for kind, place in mapping.entities.items():
        value = _text(record, place, f"entity {kind}")
        if value:
            attributes[f"throughline.entity.{kind}"] = value
    body = _body(_at(record, fields.body)) if fields.body else None
    return Row(name=name, at=at, body=body, attributes=attributes, **texts)


def _body(value: Any) -> Any:
    """A column that holds JSON as what it says."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return loads(value.encode())
        except (Rejected, UnicodeEncodeError):
            pass
    return clean(value)


def _kept(mapping: Mapping, record: dict[str, Any]) -> dict[str, Any]:
    if mapping.attributes is not None:
        found = {place.lstrip("/"): _at(record, place) for place in mapping.attributes}
        return {key: value for key, value in found.items() if value not in (None, "")}
    taken = {getattr(mapping.fields, field) for field in ("time", "type", "body", *_TEXTS)}
    taken |= set(mapping.entities.values())
    return {
        key: value
        for key, value in record.items()
        if key not in taken and f"/{key}" not in taken and value not in (None, "")
    }


def _at(record: dict[str, Any], place: str) -> Any:
    if place.startswith("="):
        return place[1:]
    if not place.startswith("/"):
        return record.get(place)
    return pointed(record, place)


def _text(record: dict[str, Any], place: str, field: str) -> str:
    value = _at(record, place) if place else None
    if value is None:
        return ""
    if isinstance(value, bool | dict | list):
        raise BadRowError("bad_field", f"{field} at {place!r} is neither text nor a number")
    text = str(clean(value)).strip()
    if len(text) > _LONGEST:
        raise BadRowError("bad_field", f"{field} has over {_LONGEST:,} characters; map it to the body")
    return text


def _time(mapping: Mapping, record: dict[str, Any], now: int) -> int:
    place = mapping.fields.time
    given = _at(record, place)
    if given in (None, "") or isinstance(given, bool | dict | list):
        raise BadRowError("no_time", f"nothing at {place!r}, which is to be the time")
    try:
        at = _moment(mapping, str(given).strip(), now)
    except (ValueError, OverflowError, BadQuery) as error:
        raise BadRowError(
            "bad_time", f"{str(given)[:60]!r} is no time as {mapping.time_format!r}; set time_format"
        ) from error
    if not usable(at):
        raise BadRowError("bad_time", f"{str(given)[:60]!r} lies outside the years 2000 to 2099")
    return at


def _moment(mapping: Mapping, text: str, now: int) -> int:
    if mapping.time_format in UNITS:
        return ticks(text, mapping.time_format)
    if mapping.time_format != "auto":
        moment = datetime.strptime(text, mapping.time_format)  # noqa: DTZ007 - the mapping names the zone
        return _of(moment, mapping)
    exact = rfc3339(text)
    if exact is not None:
        return exact
    if text[:4].isdecimal() and text[4:5] == "-":
        return _of(datetime.fromisoformat(text), mapping)
    if not text.replace(".", "", 1).isdecimal():
        raise ValueError(text)
    return parse_time(text, now)


def _of(moment: datetime, mapping: Mapping) -> int:
    moment = moment if moment.tzinfo else moment.replace(tzinfo=mapping.zone)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def suggested(name: str, keys: list[str]) -> str:
    """A mapping file for these columns, to be looked over."""
    guesses = {
        "time": ("time", "timestamp", "ts", "created_at", "at", "date", "occurred_at", "@timestamp"),
        "type": ("type", "event_type", "event", "action", "kind", "name"),
        "id": ("id", "event_id", "uuid", "message_id"),
        "service": ("service", "service_name", "app", "source_service"),
        "subject": ("subject",),
        "correlation": ("correlation_id", "correlationid", "request_id"),
        "body": ("body", "payload", "data"),
    }
    low = {key.lower(): key for key in keys}
    found = {field: next((low[one] for one in names if one in low), "") for field, names in guesses.items()}
    found["time"] = found["time"] or "WHICH COLUMN IS THE TIME?"
    found["type"] = found["type"] or f"={name}"
    taken = set(found.values())
    entities = {
        key[:-3]: key for key in keys if key.lower().endswith("_id") and key not in taken and key[:-3]
    }
    lines = [f"name = {_quoted(name)}", 'time_format = "auto"', 'time_zone = "UTC"', "", "[fields]"]
    lines += [f"{field} = {_quoted(key)}" for field, key in found.items() if key]
    if entities:
        lines += ["", "[entities]", *(f"{_quoted(kind)} = {_quoted(key)}" for kind, key in entities.items())]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
