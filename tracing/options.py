"""What an integration is told once: how spans are tied together, and whether bodies are captured.

``Options()`` is the default of every integration; pass another as ``options=``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from tracing.guard import guarded, lost

LONGEST_READ = 64 * 1024  # bytes of a body that are looked at: what cannot be redacted whole is left out
HIDDEN = "[redacted]"
_SECRET = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|authori[sz]ation|api_?key|credential|cookie|"
    r"card_?(number|no)|^pan$|cvv|cvc|iban|ssn|^pin$",
    re.IGNORECASE,
)
_FIELD = re.compile(r"([^&=?\s]+)=([^&\s]*)")
_BRACKETS = re.compile(r"[\[\].]+")
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an integration makes its spans.

    ``parent``: a process span of a single message is the child of the span that created the message
    where no other span is current; ``False`` ties them by links alone, as the letter of the
    messaging conventions (1.44) prefers. Links are there either way.

    ``body``: at most this many characters of a text body go on the span as ``throughline.message.body``;
    0, the default, captures none. Values of JSON members and of form fields whose names look like secrets and
    digits that look like card numbers are replaced first, then ``redact`` is asked: it gets the text and returns what may be kept.
    """

    parent: bool = True
    body: int = 0
    redact: Callable[[str], str] | None = None

    def captured(self, body: object) -> str | None:
        """What of this body may stand on a span; ``None`` for nothing. Never raises.

        Bodies that are no text, larger than 64 KiB, in parts (``multipart/form-data``), or that begin like JSON and
        are none are never captured.
        """
        if not self.body or body is None:
            return None
        with guarded("message body"):
            raw = body.encode() if isinstance(body, str) else bytes(body)  # type: ignore[call-overload]
            if len(raw) > LONGEST_READ:
                lost("body too large to be captured")
                return None
            kept = redacted(raw.decode())
            if kept is None:
                lost("body too broken to be captured")
                return None
            return (self.redact(kept) if self.redact else kept)[: self.body]
        return None


def redacted(text: str) -> str | None:
    """The text without what looks like a secret: JSON members and form fields by name, cards by their digits.

    ``None`` for what begins like a JSON object or array and cannot be read, and for a form in parts
    (``multipart/form-data``): the secrets in it would not be found.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        # a byte order mark in front is no part of the text
        if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")) or "form-data;" in text.lower():
            return None
        return _plain(text)
    return _CARD.sub(HIDDEN, json.dumps(_without(found), ensure_ascii=False, separators=(",", ":")))


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: HIDDEN if _SECRET.search(key) else _without(one) for key, one in value.items()}
    if isinstance(value, str):
        return _plain(value)
    return [_without(one) for one in value] if isinstance(value, list) else value


def _plain(text: str) -> str:
    return _CARD.sub(HIDDEN, _FIELD.sub(_field, text) if "=" in text else text)


def _field(found: re.Match[str]) -> str:
    """One ``name=value`` of a form, whose spaces and brackets are mostly escaped: ``card%5Bnumber%5D=4111+1111...``."""
    name = unquote_plus(found[1])
    parts = [part for part in _BRACKETS.split(name) if part]
    hidden = any(map(_SECRET.search, (*parts, "_".join(parts)))) or _CARD.search(unquote_plus(found[2]))
    return f"{found[1]}={HIDDEN}" if hidden else found[0]
