"""What did the user paste? Ids, addresses, headers, bodies and log lines become questions.

``identify`` recognises shapes by their form alone and asks nothing. Each reading carries
the query text that asks it, so what was understood can be shown, corrected and linked. A text
that looks like none of the shapes is left to ``grammar.parse``.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from timeline.errors import BadQuery
from timeline.search.grammar import parse
from timeline.search.leaves import leaves
from timeline.search.meaning import Reading
from timeline.search.names import ATTRIBUTE_ALIASES, FIELD_ALIASES, RESERVED_KEYS
from timeline.search.pasted import Clues, normal, read_pairs
from timeline.search.syntax import Ast, Every, Pair, Text, every, unparse
from timeline.search.times import parse_time
from timeline.search.tokens import id_shaped

MAX_TEXT: Final = 256 * 1024  # characters that are looked at
MAX_READINGS: Final = 24
_MAX_LEAVES = 2000
_MAX_PAIRS = 500

TRACEPARENT = re.compile(
    r"(?:traceparent\s*[:=]\s*)?[\"']?[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}[\"']?",
    re.IGNORECASE,
)
_HEX = re.compile(r"(?:0x)?([0-9a-f]{32}|[0-9a-f]{16})", re.IGNORECASE)
_UUID = re.compile(
    r"(?:urn:uuid:)?\{?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}?", re.IGNORECASE
)
_COORDINATES = re.compile(
    r"(?=[^/@\[:]*[A-Za-z])([A-Za-z0-9._\-]{1,249}?)"
    r"(?:/([0-9]{1,9})/|\[([0-9]{1,9})\](?:@|:|/| )|-([0-9]{1,9})@|:([0-9]{1,9}):)"
    r"([0-9]{1,3}(?:,[0-9]{3}){1,6}|[0-9]{1,19})"
)
_ENTITY = re.compile(r"([A-Za-z_][\w.\-]{0,99}):([^\s\"()*]{1,1000})")
_FACT_ID = re.compile(r"[A-Za-z0-9_-]{20}")
_HEADER = re.compile(r"[<>*\s]{0,4}((?:cloudEvents:)?[A-Za-z0-9_.\-]{1,200})\s{0,4}[:=]\s?(.*)")
_STAMP = re.compile(
    r"(?<![0-9])[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?(?![0-9])"
)
_LEVEL = re.compile(r"\b(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL)\b", re.ASCII)
_LOG_PAIR = re.compile(r"([A-Za-z_][\w.\-]{0,63})\s?[=:]\s?[\"']?([^\s\"',;\[\]{}()]{1,256})")
_WORD = re.compile(r"[A-Za-z0-9_\-:./@]{6,256}")
_WRAPPED = "\"'`,; \t\r\n"


def identify(text: str, *, rules: Mapping[str, str] | None = None) -> list[Reading]:
    """Every reading of what was pasted, most specific first; at most 24, none repeated.

    ``rules`` maps attribute keys to entity types. Empty where the text is a question to be
    parsed, or plain words. Never raises.
    """
    rules = rules or {}
    text = text[:MAX_TEXT].strip()
    if not text:
        return []
    shapes: tuple[Callable[[str, Mapping[str, str]], Iterable[Reading]], ...] = (
        _traceparent,
        _curl,
        _json,
        _address,
        _headers,
        _single,
        _log_line,
    )
    for shape in shapes:
        found: dict[str, Reading] = {}
        for reading in shape(text, rules):
            found.setdefault(reading.text, reading)
        if found:
            return list(found.values())[:MAX_READINGS]
    return []


def _traceparent(text: str, rules: Mapping[str, str]) -> Iterator[Reading]:
    match = TRACEPARENT.fullmatch(text.strip(_WRAPPED))
    if match:
        trace, span = match[1].lower(), match[2].lower()
        yield from _reading("a span of a traceparent", _all(Pair("trace", trace), Pair("span", span)), rules)
        yield from _reading("the trace of a traceparent", Pair("trace", trace), rules)


def _single(text: str, rules: Mapping[str, str]) -> Iterator[Reading]:
    """One token: coordinates, ids of known form, an entity, or any id."""
    text = text.strip(_WRAPPED)
    if coordinates := _COORDINATES.fullmatch(text):
        topic, offset = coordinates[1], coordinates[6].replace(",", "")
        partition = next(group for group in coordinates.groups()[1:5] if group is not None)
        place = _all(Pair("topic", topic), Pair("partition", partition), Pair("offset", offset))
        yield from _reading("a place in a topic", place, rules)
    if re.search(r"\s", text):
        return
    if uuid := _UUID.fullmatch(text):
        yield from _reading("an id", Text(uuid[1]), rules)
        yield from _reading("a trace id", Pair("trace", uuid[1].replace("-", "").lower()), rules)
    elif digits := _HEX.fullmatch(text):
        yield from _hex(digits[1].lower(), rules)
    elif _is_fact_id(text):
        yield from _reading("a fact id", Pair("field.id", text), rules)
        yield from _reading("an id", Text(text), rules)
    elif pair := _ENTITY.fullmatch(text):
        yield from _typed(pair[1], pair[2], rules)
    elif id_shaped(text) and _is_word(text):
        yield from _reading("an id", Text(text), rules)


def _hex(digits: str, rules: Mapping[str, str]) -> Iterator[Reading]:
    if digits.strip("0"):
        if len(digits) == 32:
            yield from _reading("a trace id", Pair("trace", digits), rules)
        else:
            yield from _reading("a span id", Pair("span", digits), rules)
            # Zipkin and Datadog write 64-bit trace ids, which W3C pads with zeros.
            yield from _reading("a short trace id", Pair("trace", digits.zfill(32)), rules)
    yield from _reading("an id", Text(digits), rules)


def _typed(kind: str, name: str, rules: Mapping[str, str]) -> Iterator[Reading]:
    """``type:id``, unless the first half is a key of the language."""
    if name.startswith("//"):
        return
    if kind == "urn":
        yield from _reading("an id", Text(f"{kind}:{name}"), rules)
        return
    known = kind in FIELD_ALIASES or kind in ATTRIBUTE_ALIASES or kind in RESERVED_KEYS
    if not known and "." not in kind and ".." not in name:
        yield from _reading("an entity", Pair(kind, name), rules)


def _curl(text: str, rules: Mapping[str, str]) -> Iterator[Reading]:
    """A curl command: its headers, its body and its address."""
    if not re.match(r"(?:\$ )?curl\s", text):
        return
    try:
        words = shlex.split(text.replace("\\\r\n", " ").replace("\\\n", " "))
    except ValueError:  # a quote that never closes
        words = text.split()
    clues, bodies, addresses = Clues(), list[str](), list[str]()
    rest = iter(words)
    for word in rest:
        option, _, joined = word.partition("=")
        if option in ("-H", "--header"):
            _collect_line(clues, joined or next(rest, ""), rules)
        elif option.startswith("--data") or option in ("-d", "--json"):
            bodies.append(joined or next(rest, ""))
        elif word.startswith(("http://", "https://")):
            addresses.append(word)
        elif word.startswith(("-H", "-d")):
            (bodies.append(word[2:]) if word[1] == "d" else _collect_line(clues, word[2:], rules))
    for body in bodies:
        data = _decoded(body)
        if data is not None:
            _collect_json(clues, data, rules)
    yield from _told(clues, "a curl command", rules)
    for address in addresses:
        yield from _address(address, rules)


def _json(text: str, rules: Mapping[str, str]) -> Iterator[Reading]:
    """A JSON body: a CloudEvent, a list of headers, or any object with ids in it."""
    data = _decoded(text)
    if data is None:
        return
    clues = Clues()
    _collect_json(clues, data, rules)
    cloud = isinstance(data, dict) and "specversion" in data
    yield from _told(clues, "a CloudEvent" if cloud else "a JSON body", rules)


def _address(text: str, rules: Mapping[str, str]) -> Iterator[Reading]:
    """A web address: of a page of ours, or any with ids in its path or query."""
    text = text.strip(_WRAPPED)
    if not re.match(r"https?://\S+$", text):
        return
    try:
        parts = urlsplit(text)
    except ValueError:  # a malformed host
        return
    path = [unquote(part) for part in parts.path.split("/") if part]
    if len(path) >= 2 and path[-2] in ("facts", "traces") and len(path[-1]) in (20, 32):
        fact = path[-2] == "facts"
        key = "field.id" if fact else "trace"
        yield from _reading("a fact's page" if fact else "a trace's page", Pair(key, path[-1]), rules)
        return
    if len(path) >= 3 and path[0] == "e":
        yield from _reading("an entity's page", Pair("entity", f"{path[1]}:{'/'.join(path[2:])}"), rules)
        return
    for value in (*path, *(value for _, value in parse_qsl(parts.query)[:_MAX_PAIRS])):
        if id_shaped(value):
            yield from _reading("an id in a web address", Text(value), rules)


def _headers(text: str, rules: Mapping[str, str]) -> Iterator[Reading]:
    """Header lines ``key: value``, or one line of ``key:value,key:value`` as Kafka tools print."""
    lines = [line for line in text.splitlines() if line.strip()][:_MAX_PAIRS]
    if len(lines) == 1:
        lines = [part for part in re.split(r"[,\t]", text) if part.strip()][:_MAX_PAIRS]
        if len(lines) == 1 and not re.match(r"[^\s:=]+\s?:\s", text):
            return
    pairs = [(match[1], match[2]) for line in lines if (match := _HEADER.fullmatch(line.strip()))]
    known = sum(normal(key) is not None or key in rules for key, _ in pairs)
    if not known or 2 * len(pairs) < len(lines):
        return
    clues = Clues()
    read_pairs(clues, pairs, rules)
    yield from _told(clues, "headers", rules)


def _log_line(text: str, rules: Mapping[str, str]) -> Iterator[Reading]:
    """Lines of a log: known keys, ids of known form, other ids, and the first moment."""
    if not re.search(r"\s", text):
        return
    stamp = _STAMP.search(text)
    if not stamp and not (_LEVEL.search(text) and _is_prose(text)):
        return
    clues = Clues()
    clues.at = _moment(stamp[0]) if stamp else None
    if parent := re.search(TRACEPARENT, text):
        clues.trace, clues.span = parent[1].lower(), parent[2].lower()
    read_pairs(clues, ((match[1], match[2]) for match in islice(_LOG_PAIR.finditer(text), _MAX_PAIRS)), rules)
    for match in islice(_WORD.finditer(text), _MAX_PAIRS):
        word = match[0].strip(".:/@-_")
        digits = _HEX.fullmatch(word)
        if digits and len(digits[1]) == 32:
            clues.trace = clues.trace or digits[1].lower()
        entity = _ENTITY.fullmatch(word)
        if entity and entity[1] in rules.values():
            clues.add_entity(entity[1], entity[2])
        elif (digits or _UUID.fullmatch(word) or re.search(r"[A-Za-z][\w-]*[0-9]|[0-9]{8}", word)) and (
            id_shaped(word) and not _STAMP.match(text, match.start()) and not entity
        ):
            clues.add_id(word)
    yield from _told(clues, "a log line", rules)


def _told(clues: Clues, what: str, rules: Mapping[str, str]) -> Iterator[Reading]:
    """The readings of what a larger paste told, most specific first."""
    for label, tree in clues.trees():
        yield from _reading(f"{label} in {what}", tree, rules, at=clues.at)


def _reading(what: str, tree: Ast, rules: Mapping[str, str], at: int | None = None) -> Iterator[Reading]:
    text = unparse(tree)
    try:
        node = parse(text, rules=rules).to_node()
    except BadQuery:  # too long, or no word in it: nothing that could be asked
        return
    yield Reading(f"Read as {what}", node, text, at)


def _collect_line(clues: Clues, line: str, rules: Mapping[str, str]) -> None:
    if match := _HEADER.fullmatch(line.strip()):
        read_pairs(clues, [(match[1], match[2])], rules)


def _collect_json(clues: Clues, data: Any, rules: Mapping[str, str]) -> None:
    for item in data[:20] if isinstance(data, list) else [data]:
        if not isinstance(item, dict):
            continue
        name = item.get("key", item.get("name"))
        if isinstance(name, str) and isinstance(item.get("value"), str):
            read_pairs(clues, [(name, item["value"])], rules)
            continue
        cloud = "specversion" in item
        found = islice(leaves("", item), _MAX_LEAVES)
        pairs = (
            (f"ce-{key}" if cloud and key in _CE else key, str(value))
            for key, value in found
            if _scalar(value)
        )
        read_pairs(clues, pairs, rules)


_CE = frozenset({"id", "source", "type", "subject"})


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _decoded(text: str) -> Any:
    """The JSON object or array of a text; ``None`` where it is something else."""
    text = text.strip()
    if text[:1] not in ("{", "["):
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _is_fact_id(text: str) -> bool:
    """20 characters of base64url whose first 6 bytes are a moment of 2000 to 2099, or zero."""
    if not _FACT_ID.fullmatch(text):
        return False
    milliseconds = int.from_bytes(base64.urlsafe_b64decode(text)[:6])
    return milliseconds == 0 or 946_684_800_000 <= milliseconds < 4_102_444_800_000


def _is_word(text: str) -> bool:
    """Whether the grammar reads the text as one whole word; all else is best left to it."""
    try:
        return parse(text).tree == Text(text)
    except BadQuery:
        return False


def _is_prose(text: str) -> bool:
    """Whether the text is no question, or one of several plain words, as log messages are."""
    try:
        tree = parse(text).tree
    except BadQuery:
        return True
    return isinstance(tree, Every) and sum(isinstance(item, Text) for item in tree.items) >= 3


def _moment(stamp: str) -> int | None:
    try:
        return parse_time(stamp, 0)
    except BadQuery:
        return None


def _all(*items: Ast) -> Ast:
    return every(items)
