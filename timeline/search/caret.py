"""What is being typed: the word under the caret, as a key or as a value of a key.

In: the text of the box and the place of the caret. Out: what to complete, and which part of
the text a choice replaces. Never raises: half a question is what people have while they type.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from timeline.search.syntax import write_key, write_value

LONGEST: Final = 2_000  # characters before the caret that are looked at; longer texts were pasted
_KEY = r'(?:"((?:[^"\\]|\\.)*)"|([A-Za-z_][\w.\-/@$#%&+~]*))'
_PAIR = re.compile(rf'-?{_KEY}:(?:"((?:[^"\\]|\\.)*)|([^\s"()]*))$')
_WORD = re.compile(r"-?([A-Za-z_][\w.\-/@$#%&+~]*)?$")
_ESCAPED = re.compile(r"\\(.)")


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """The unfinished word: ``start`` to the caret is what a choice replaces.

    With ``key`` a value of it is being typed, else a key or a word.
    """

    start: int
    key: str | None
    begun: str


def typed(text: str, caret: int | None = None) -> Typed | None:
    """What stands before the caret; ``None`` where nothing can be completed there."""
    caret = len(text) if caret is None else min(max(caret, 0), len(text))
    before = text[:caret]
    if caret > LONGEST or "\n" in before:
        return None
    start = _start(before)
    if start is None:
        return None
    word = before[start:]
    sign = word.startswith("-")
    if pair := _PAIR.fullmatch(word):
        key = _plain(pair[1]) if pair[1] is not None else pair[2]
        begun = _plain(pair[3]) if pair[3] is not None else pair[4] or ""
        return Typed(start=start + sign, key=key, begun=begun)
    if found := _WORD.fullmatch(word):
        return Typed(start=start + sign, key=None, begun=found[1] or "")
    return None


def completed(key: str, value: str | None = None) -> str:
    """The text of a choice: a key with its colon, or the whole pair."""
    return f"{write_key(key)}:" if value is None else f"{write_key(key)}:{write_value(value)}"


def _start(before: str) -> int | None:
    """Where the last word begins: behind a space or a parenthesis outside quotes."""
    start, quoted, skip = 0, False, False
    for place, letter in enumerate(before):
        if skip:
            skip = False
        elif quoted and letter == "\\":
            skip = True
        elif letter == '"':
            quoted = not quoted
        elif not quoted and (letter.isspace() or letter in "()"):
            start = place + 1
    return start


def _plain(quoted: str) -> str:
    return _ESCAPED.sub(r"\1", quoted)
