"""Rules, and what becomes of a value under them.

A rule names an attribute (of a resource, scope, span, link, event or log record, a tag, a CloudEvents
attribute, a column, a member of a JSON body) or a kind of secret, and drops, masks or hashes what it names.
Rules of attributes come first, in their order; then detectors look at what is left of every text.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Final, Literal, NamedTuple, cast

import msgspec

from timeline.domain import Value
from timeline.redaction.detectors import DETECTORS

Action = Literal["drop", "mask", "hash"]
GONE: Final = object()
"""What ``Redaction.value`` returns for a value that is dropped with its key."""
_HASHED: Final = re.compile(r"hash-[0-9a-f]{20}")
_JSON_SIZE: Final = 1 << 20  # characters of a text that is read as JSON
_DEEP: Final = 100
_KNOWN: Final = 20_000  # verdicts on texts remembered: most attributes come again and again
_LONG: Final = 256  # characters of a text that is remembered
_HEAD: Final = r"(?<![\w-])"
# what begins like JSON and could not be read as such is taken to the end of its text
_TAIL: Final = (
    r"""["'\\]{0,3}\s{0,4}[=:]\s{0,4}["'\\]{0,3}(?P<secret>(?!\[masked)[{\[].*|[^\s"'\\&;,}\]]{1,4096})"""
)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """``match`` is an attribute's key, where ``*`` stands for anything, or a detector's name."""

    number: int
    by: Literal["attribute", "detector"]
    match: str
    action: Action

    @property
    def title(self) -> str:
        """The rule in a few words."""
        noun = self.match if self.by == "attribute" else DETECTORS[self.match].noun
        return f"{self.action} {noun}"


class _Named(NamedTuple):
    rule: Rule
    key: re.Pattern[str]
    in_text: re.Pattern[str] | None  # name=value and "name": value within a text


class Redaction:
    """The rules of a workspace, ready to be used; ``salt`` keys its hashes.

    Hits are counted by the number of the rule, until ``counted`` takes them. Safe to share: a count that
    two threads add to at the same moment may come out lower.
    """

    def __init__(self, rules: Iterable[Rule], salt: bytes) -> None:
        self.rules = tuple(rules)
        self._salt = salt
        self._named = [_named(rule) for rule in self.rules if rule.by == "attribute"]
        self._detecting = [rule for rule in self.rules if rule.by == "detector"]
        self._hits: Counter[int] = Counter()
        self._rule_of: dict[str, Rule | None] = {}
        self._clean: dict[str, None] = {}

    def counted(self) -> Counter[int]:
        """Values taken out since this was asked last, by the number of the rule."""
        hits, self._hits = self._hits, Counter()
        return hits

    def hashed(self, secret: str) -> str:
        """The keyed hash that stands for a value (HMAC-SHA-256, cut to 80 bits)."""
        return (
            "hash-" + hmac.new(self._salt, secret.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:20]
        )

    def named(self, key: str) -> Rule | None:
        """The first rule that names this attribute."""
        try:
            return self._rule_of[key]
        except KeyError:
            found = next((one.rule for one in self._named if one.key.fullmatch(key)), None)
            if len(self._rule_of) < _KNOWN:
                self._rule_of[key] = found
            return found

    def named_by_path(self, path: str) -> Rule | None:
        """The first rule that names the last member of a path, or all of it, as ``body`` and ``value`` find it."""
        return self.named(path.rpartition(".")[2]) or self.named(path)

    def value(self, key: str, value: Value, *, needed: bool = False) -> Value | object:
        """The value as it may be kept under ``key``, or ``GONE``.

        ``needed`` is for what tells events apart: it is hashed whatever the rule's action, since two events
        masked alike would be one.
        """
        rule = self.named(key)
        if rule is None:
            return self._inside(key, value, needed, _DEEP)
        return self._acted(rule, value, needed)

    def body(self, body: Value) -> Value:
        """The body of a message, event or log record as it may be kept: rules name it ``body`` as a whole,
        its members by their names or paths."""
        rule = self.named("body")
        found = self._acted(rule, body, needed=False) if rule else self._inside("", body, False, _DEEP)
        return None if found is GONE else cast(Value, found)

    def key(self, key: str) -> str:
        """An attribute's key as it may be kept: detectors look at keys too."""
        return self.text(key, needed=True) if self._detecting else key

    def text(self, text: str, *, needed: bool = False) -> str:
        """A text without the secrets that stand in it."""
        if text in self._clean:
            return text
        found = self._detected(self._assigned(text, needed), needed)
        if found == text and len(text) <= _LONG and len(self._clean) < _KNOWN:
            self._clean[text] = None
        return found

    def opaque(self, data: bytes) -> bytes:
        """Bytes of which only their owner knows the meaning: all of them, or none where a secret shows."""
        try:
            return self.text(data.decode()).encode()
        except UnicodeDecodeError:
            plain = data.decode("latin-1")
            return data if self.text(plain) == plain else b""

    def _acted(self, rule: Rule, value: Value, needed: bool) -> Value | object:
        if isinstance(value, dict):
            if rule.action == "hash":
                return {name: self._acted(rule, one, needed) for name, one in value.items()}
        elif isinstance(value, list):
            if rule.action == "hash":
                return [self._acted(rule, one, needed) for one in value]
        elif value is None or value == "":
            return value
        text = as_text(value)
        if _HASHED.fullmatch(text):
            return value
        stands = self._taken(rule, text, needed)
        return GONE if rule.action == "drop" and not needed else stands

    def _taken(self, rule: Rule, secret: str, needed: bool) -> str:
        """What stands for a secret from now on; counted. Nothing, where it is dropped."""
        self._hits[rule.number] += 1
        if rule.action == "hash" or needed:
            return self.hashed(secret)
        if rule.action == "drop":
            return ""
        return f"[masked {rule.match}]" if rule.by == "detector" else "[masked]"

    def _inside(self, key: str, value: Value, needed: bool, levels: int) -> Value | object:
        if isinstance(value, str):
            return self._whole(key, value, needed, levels)
        if isinstance(value, bool) or value is None or isinstance(value, float):
            return value
        if isinstance(value, int):
            digits = str(value)
            found = self._detected(digits, needed) if len(digits) >= 14 else digits
            return value if found == digits else found
        if isinstance(value, bytes):
            return self.opaque(value)
        if not levels:
            return GONE
        if isinstance(value, list):
            listed = [self._member(key, "", one, needed, levels) for one in value]
            return [one for one in listed if one is not GONE]
        members = {
            self.key(name): self._member(key, name, one, needed, levels) for name, one in value.items()
        }
        return {name: one for name, one in members.items() if one is not GONE}

    def _member(self, key: str, name: str, value: Value, needed: bool, levels: int) -> Value | object:
        """A member of an object: rules name it alone, or with the path that leads to it."""
        path = f"{key}.{name}" if key and name else name or key
        rule = (self.named(name) or self.named(path)) if name else None
        if rule is not None:
            return self._acted(rule, value, needed)
        return self._inside(path, value, needed, levels - 1)

    def _whole(self, key: str, text: str, needed: bool, levels: int) -> str:
        """A text, or the JSON that is written in it."""
        if text[:1] in ("{", "[") and len(text) <= _JSON_SIZE and levels > 1:
            try:
                found = msgspec.json.decode(text)
                if isinstance(found, dict | list):
                    changed = self._inside("", found, needed, levels // 2)
                    return text if changed == found else msgspec.json.encode(changed).decode()
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                pass
        return self.text(text, needed=needed)

    def _assigned(self, text: str, needed: bool) -> str:
        """Forms, query strings and log lines: what is assigned to a name that a rule knows."""
        for rule, _, pattern in self._named:
            if pattern is not None and ("=" in text or ":" in text):
                text = pattern.sub(partial(self._replaced, rule=rule, needed=needed), text)
        return text

    def _replaced(self, match: re.Match[str], *, rule: Rule, needed: bool) -> str:
        secret = match["secret"]
        if _HASHED.fullmatch(secret) or secret.startswith("[masked"):
            return match[0]
        return match[0][: -len(secret)] + self._taken(rule, secret, needed)

    def _detected(self, text: str, needed: bool) -> str:
        for rule in self._detecting:
            pieces, end = [], 0
            for start, stop, secret in DETECTORS[rule.match].find(text):
                if start < end or _HASHED.search(secret) or "[masked" in secret:
                    continue
                pieces += [text[end:start], self._taken(rule, secret, needed)]
                end = stop
            if pieces:
                text = "".join([*pieces, text[end:]])
        return text


def as_text(value: Value) -> str:
    """A value as questions compare it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    return str(value)


def _named(rule: Rule) -> _Named:
    pieces = [re.escape(piece) for piece in rule.match.split("*")]
    named = rule.match.replace("*", "")
    # a name that is mostly anything would take the end of every sentence
    within = re.compile(_HEAD + r"[\w.-]{0,60}".join(pieces) + _TAIL, re.IGNORECASE | re.DOTALL)
    key = re.compile(".{0,250}".join(pieces), re.IGNORECASE | re.DOTALL)
    return _Named(rule, key, within if len(named) >= 3 else None)
