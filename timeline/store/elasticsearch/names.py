"""Names of indices, ranks of ids, and tokens as the cluster keeps them.

Ids are compared as text everywhere else; the cluster compares two numbers made of one, which
takes a third of the room and needs no look at other facts. Words lose the two control
characters that JSON spells in six bytes.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from binascii import a2b_base64
from datetime import UTC, datetime, timedelta
from typing import Final

import xxhash

from timeline.ingest.identity import ALPHABET, FIRST_NS, LAST_NS
from timeline.store.integers import MS

ID_SIZE: Final = 20
DAY_MS: Final = 86_400_000
ODD: Final = "odd"  # stands for the day of facts without a usable time
FIRST_DAY, LAST_DAY = FIRST_NS // MS // DAY_MS, LAST_NS // MS // DAY_MS
LONGEST: Final = 255  # UTF-16 units that the cluster keeps of one token
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HALF: Final = (1 << 60) - 1
# base64 numbers its digits in an order of its own; these tables put them in the order of text
_TO_RANK = str.maketrans("".join(sorted(ALPHABET)), ALPHABET[:-2] + "+/")
_FROM_RANK = str.maketrans(ALPHABET, "".join(sorted(ALPHABET)))
_ID = re.compile(r"[A-Za-z0-9_-]{20}")
_day_names: dict[int, str] = {}


def is_id(text: str) -> bool:
    """Whether this can be the id of a fact."""
    return _ID.fullmatch(text) is not None


def ranks(fact_id: str) -> tuple[int, int]:
    """Two 60-bit numbers that order as ids do."""
    number = int.from_bytes(a2b_base64(fact_id.translate(_TO_RANK)), "big")
    return number >> 60, number & _HALF


def id_of(high: int, low: int) -> str:
    """The id that has these ``ranks``."""
    return urlsafe_b64encode((high << 60 | low).to_bytes(15, "big")).decode("ascii").translate(_FROM_RANK)


def rank_range(prefix: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The ranks of the first and the last id that can start with ``prefix``, if any can."""
    first, last = prefix.ljust(ID_SIZE, "-"), prefix.ljust(ID_SIZE, "z")
    return (ranks(first), ranks(last)) if is_id(first) else None


def day_of(ms: int) -> str:
    """``YYYY.MM.DD`` of a moment (ms) from 2000 to 2099, else ``odd``."""
    day = ms // DAY_MS
    known = _day_names.get(day)
    if known is None:
        if len(_day_names) > 10_000:
            _day_names.clear()
        usable = FIRST_DAY <= day < LAST_DAY
        known = (_EPOCH + timedelta(days=day)).strftime("%Y.%m.%d") if usable else ODD
        _day_names[day] = known
    return known


def end_of(day: str) -> int:
    """The first ns after a day."""
    start = datetime.strptime(day, "%Y.%m.%d").replace(tzinfo=UTC)
    return ((start - _EPOCH).days + 1) * DAY_MS * MS


def wire(words: str) -> str:
    """Words, or the start of one, as the cluster keeps them: character by character, one to one."""
    if "`" in words:
        words = words.replace("`", "\x0160.")
    if "\x7f" in words:
        words = words.replace("\x7f", "\x017f.")
    return words.replace("\0", "\x7f").replace("\x01", "`")


def units(text: str) -> int:
    """Length in UTF-16 units, as the cluster counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def any_long(tokens: str) -> bool:
    """Whether a token is longer than the cluster keeps; most texts need a dozen looks."""
    if not tokens.isascii():
        return any(units(token) > LONGEST for token in tokens.split(" "))
    start, last = 0, len(tokens) - LONGEST
    find = tokens.rfind
    while start < last:
        start = find(" ", start, start + LONGEST + 1) + 1
        if not start:
            return True
    return False


def wire_word(word: str) -> str:
    """A word of free text as the cluster keeps it: a hash where it would be cut."""
    word = wire(word)
    return word if units(word) <= LONGEST else "#" + xxhash.xxh3_128_hexdigest(word.encode())
