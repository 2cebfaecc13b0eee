"""The clues in a larger paste: which keys of headers, bodies and logs name which id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal
from urllib.parse import unquote

from timeline.search.syntax import Ast, Pair, Text, every
from timeline.search.tokens import id_shaped
from tracing.semconv import CONTEXT_PREFIX, ENTITY_PREFIX

MAX_IDS: Final = 12  # ids without a known key that one paste contributes
_HEX_TRACE = re.compile(r"[0-9a-f]{32}|[0-9a-f]{16}", re.IGNORECASE)
_HEX_SPAN = re.compile(r"[0-9a-f]{16}", re.IGNORECASE)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}.*", re.IGNORECASE)
_B3 = re.compile(r"([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-.*)?", re.IGNORECASE)

Meaning = Literal[
    "traceparent",
    "b3",
    "baggage",
    "trace",
    "span",
    "event",
    "source",
    "subject",
    "correlation",
    "causation",
    "message",
    "topic",
    "partition",
    "offset",
    "key",
    "id",
]

# key without case, ``-``, ``_``, ``.`` and a protocol's prefix -> what it names
_KEYS: Final[Mapping[str, Meaning]] = {
    "traceparent": "traceparent",
    "b3": "b3",
    "baggage": "baggage",
    "traceid": "trace",
    "b3traceid": "trace",
    "oteltraceid": "trace",
    "spanid": "span",
    "b3spanid": "span",
    "otelspanid": "span",
    "eventid": "event",
    "cloudeventseventid": "event",
    "cloudeventseventsource": "source",
    "correlationid": "correlation",
    "causationid": "causation",
    "messageid": "message",
    "messagingmessageid": "message",
    "requestid": "id",
    "idempotencykey": "id",
    "topic": "topic",
    "messagingdestinationname": "topic",
    "partition": "partition",
    "messagingdestinationpartitionid": "partition",
    "offset": "offset",
    "messagingkafkaoffset": "offset",
    "messagingkafkamessagekey": "key",
}
_CE_KEYS: Final[Mapping[str, Meaning]] = {"id": "event", "source": "source", "subject": "subject"}
_CE_PREFIXES = ("ce-", "ce_", "cloudevents:", "cloudevents_")


class Clues:
    """What a paste told so far; the first value of each kind stays."""

    def __init__(self) -> None:
        self.at: int | None = None
        self.trace = ""
        self.span = ""
        self._named: dict[Meaning, str] = {}
        self._entities: dict[tuple[str, str], None] = {}
        self._ids: dict[str, None] = {}

    def add_entity(self, kind: str, name: str) -> None:
        """An entity that the paste names."""
        if kind and name and len(self._entities) < MAX_IDS:
            self._entities[kind, name] = None

    def add_id(self, value: str) -> None:
        """An id whose key says nothing."""
        if len(self._ids) < MAX_IDS:
            self._ids[value] = None

    def add(self, meaning: Meaning, value: str) -> None:
        """A value under a key whose meaning is known."""
        match meaning:
            case "traceparent":
                self._parent(_TRACEPARENT.fullmatch(value))
            case "b3":
                self._parent(_B3.fullmatch(value))
            case "trace" if _HEX_TRACE.fullmatch(value):
                self.trace = self.trace or value.lower().zfill(32)
            case "span" if _HEX_SPAN.fullmatch(value):
                self.span = self.span or value.lower()
            case "baggage":
                self._baggage(value)
            case "id" | "trace" | "span":  # also what is no hex: an id of another system
                self.add_id(value)
            case _:
                self._named.setdefault(meaning, value)

    def trees(self) -> Iterator[tuple[str, Ast]]:
        """What to ask, most specific first, each with how to name it."""
        named = self._named
        if "event" in named:
            if "source" in named:
                yield (
                    "the event",
                    every([Pair("event", named["event"]), Pair("source", named["source"])]),
                )
            yield "the event id", Pair("event", named["event"])
        if "topic" in named and named.get("offset", "").replace(",", "").isdecimal():
            parts = [
                Pair(key, named[key].replace(",", "")) for key in ("partition", "offset") if key in named
            ]
            yield "the place in a topic", every([Pair("topic", named["topic"]), *parts])
        if self.trace and self.span:
            yield "the span", every([Pair("trace", self.trace), Pair("span", self.span)])
        if self.trace:
            yield "the trace", Pair("trace", self.trace)
        elif self.span:
            yield "the span", Pair("span", self.span)
        if "message" in named:
            yield "the message id", Pair("message", named["message"])
        for kind, name in self._entities:
            yield "an entity", Pair("entity", f"{kind}:{name}")
        for meaning in ("correlation", "causation"):
            if meaning in named:
                yield f"the {meaning} id", Pair(meaning, named[meaning])
        if "key" in named:
            yield "the message key", Pair("key", named["key"])
        if "subject" in named:
            yield "the subject", Pair("subject", named["subject"])
        for value in self._ids:
            if value.lower() not in (self.trace, self.span):
                yield "an id", Text(value)

    def _parent(self, match: re.Match[str] | None) -> None:
        if match and not self.trace:
            self.trace, self.span = match[1].lower().zfill(32), match[2].lower()

    def _baggage(self, value: str) -> None:
        for member in value.split(",")[:64]:
            key, _, rest = member.strip().partition("=")
            for prefix in (ENTITY_PREFIX, CONTEXT_PREFIX):
                if key.startswith(prefix):
                    self.add_entity(key.removeprefix(prefix), unquote(rest.partition(";")[0].strip()))


def normal(key: str) -> Meaning | None:
    """What a header or body key names, whatever its case, dashes and prefix; ``None``: nothing known."""
    lower = key.lower()
    for prefix in _CE_PREFIXES:
        if lower.startswith(prefix) and lower.removeprefix(prefix) in _CE_KEYS:
            return _CE_KEYS[lower.removeprefix(prefix)]
    last = re.split(r"[./\[\]]", lower)[-1]
    for name in (lower, last):
        for prefix in ("", *_CE_PREFIXES, "x-", "x_", "kafka_", "kafka-"):
            if name.startswith(prefix):
                known = _KEYS.get(re.sub(r"[-_.\s]", "", name[len(prefix) :]))
                if known:
                    return known
    return None


def read_pairs(clues: Clues, pairs: Iterable[tuple[str, str]], rules: Mapping[str, str]) -> None:
    """Add what each key and value tells: a known key, an entity by rule, or just an id."""
    for key, raw in pairs:
        value = raw.strip().strip("\"'")
        if not value or len(value) > 4096:
            continue
        short = key.rpartition(".")[2]
        meaning = normal(key)
        if meaning is not None:
            clues.add(meaning, value)
        elif key in rules or short in rules:
            clues.add_entity(rules.get(key) or rules[short], value)
        elif key.startswith((ENTITY_PREFIX, CONTEXT_PREFIX)):
            clues.add_entity(key.removeprefix(ENTITY_PREFIX).removeprefix(CONTEXT_PREFIX), value)
        elif (
            id_shaped(value)
            and re.search(r"[0-9]", value)
            and re.search(r"id$|key$|ref$|number$", key.lower())
        ):
            clues.add_id(value)
