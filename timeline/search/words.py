"""Free text as words: the one function that cuts it, for facts and for questions alike.

Stores index the words it returns and nothing else, so that two engines with tokenisers
of their own cannot disagree.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import xxhash

MAX_WORD: Final = 255
GAP: Final = "\x01"  # stands between two texts, so that no phrase reaches across; never a word


def _marks() -> str:
    """The combining marks of scripts in use: Python's ``\\w`` would cut words at them."""
    blocks = ((0x300, 0x1E00), (0x20D0, 0x2100), (0x302A, 0x3030), (0xA66F, 0xABF0), (0xFB1E, 0xFB1F))
    marks = [
        code
        for start, end in blocks
        for code in range(start, end)
        if unicodedata.category(chr(code)) in ("Mn", "Mc")
    ]
    return "".join(f"\\U{code:08x}" for code in marks)


# Scripts that are written without spaces: each character is a word, so any part is found.
_UNSPACED = (
    "\u0e01-\u0e4e\u0e80-\u0edf\u1000-\u109f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # kana
    "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # ideographs
)
_PICTURE = (
    "[\u00a9\u00ae\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf"
    "\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001faff]"
)
_MODIFIER = "[\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff]"
_EMOJI = f"{_PICTURE}{_MODIFIER}*(?:\u200d{_PICTURE}{_MODIFIER}*)*"
_LETTER = f"(?:(?![{_UNSPACED}])(?:[^\\W_]|[{_marks()}]))"
_WORD = f"{_LETTER}+(?:'{_LETTER}+)*"
_TOKEN = re.compile(f"{_WORD}|[{_UNSPACED}]|{_EMOJI}")
_ASCII = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")
# Runs as ids are written: words held together by single joiners, or by underscores.
# A run starts where a word starts: trying every letter would take time quadratic in a long one.
_RUN = re.compile(f"(?<!{_LETTER})(?<!{_LETTER}'){_WORD}(?:(?:[-.:/@#+=~%]|_+){_WORD})+")
_ASCII_RUN = re.compile(r"(?<![a-z0-9'])[a-z0-9']+(?:(?:[-.:/@#+=~%]|_+)[a-z0-9']+)+")
_JOINER = re.compile(r"[-.:/@#+=~%_]")
_ID_MARK = re.compile(r"[\d_]")


def _bounded(word: str) -> str:
    return word if len(word) <= MAX_WORD else "#" + xxhash.xxh3_128_hexdigest(word.encode())


def _cut(text: str) -> list[str]:
    if text.isascii():
        text = text.lower()
        parts, runs = _ASCII.findall(text), _ASCII_RUN.findall(text)
    else:
        # NFKC leaves the typographic apostrophe alone, and folding may need composing again.
        text = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
        text = unicodedata.normalize("NFKC", text)
        parts, runs = _TOKEN.findall(text), _RUN.findall(text)
        parts = [part.replace("\ufe0f", "").replace("\ufe0e", "") for part in parts]
    found = [_bounded(part) for part in parts]
    found.extend(_bounded(run) for run in runs if _ID_MARK.search(run))
    return found


_cut_short = lru_cache(maxsize=8192)(_cut)


def words(text: str) -> list[str]:
    """The words of a text, in order, then the id-like runs in it once more as a whole.

    NFKC and case folded. A word is letters and digits (``don't`` is one); each character
    of a script without spaces is one, and so is each emoji. ``foo_bar`` gives ``foo``,
    ``bar`` and ``foo_bar``. A word over 255 characters is ``#`` and a hash.
    """
    return list(_cut_short(text)) if len(text) <= 120 else _cut(text)


def plain(words_: Iterable[str]) -> list[str]:
    """The words without the whole runs: what stands next to each other in a text.

    A phrase, and a question whose last word is unfinished, go by these.
    """
    return [word for word in words_ if word.startswith("#") or not _JOINER.search(word)]
