"""Secrets told by their form alone, wherever in a text they stand.

Every pattern is bounded, so a hostile text costs no more than its length; each looks for something cheap
first, since most texts hold nothing. A find is a stretch of the text and the secret's normal form: two
spellings of one card number or one address are hashed alike.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64decode
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple


class Find(NamedTuple):
    """Where a secret stands, and what it is in its normal form."""

    start: int
    end: int
    secret: str


class Detector(NamedTuple):
    """One kind of secret: its name in rules, a word for people, and how it is found."""

    name: str
    noun: str
    about: str
    find: Callable[[str], Iterator[Find]]


_CARD: Final = re.compile(
    r"(?<!\d)(?<!\d\.)(?:\d{14,19}"
    r"|\d{4}(?:(?P<sep>[ .+_/-]|%20)\d{4})(?:(?P=sep)\d{4}){2}(?:(?P=sep)\d{1,3})?"
    r"|\d{4}(?P<amex>[ .+_/-]|%20)\d{6}(?P=amex)\d{4,5})(?!\d)"
)
_HEX_RUN: Final = 24  # letters and digits of one hexadecimal id
_EMAIL: Final = re.compile(
    r"[\w.%+'-]{1,64}(?:@|%40)[^\W_](?:[\w-]{0,62})(?:\.[^\W_][\w-]{0,62}){1,8}", re.UNICODE
)
_SPACE: Final = r"(?:\s|%20|\+){1,4}"
_BEARER: Final = re.compile(rf"\bbearer{_SPACE}[\"']?(?P<secret>[\w.~+/-]{{8,8192}}=*)", re.IGNORECASE)
_BASIC: Final = re.compile(rf"\bbasic{_SPACE}(?P<secret>[A-Za-z0-9+/_-]{{8,8192}}(?:=|%3D)*)", re.IGNORECASE)
_AUTHORIZATION: Final = re.compile(
    r"\b(?:proxy-)?authorization[\"'\\]{0,3}\s{0,4}[:=]\s{0,4}[\"'\\]{0,3}"
    r"(?P<secret>[^\s\"'\\,;]{1,8192}(?:[ ](?![\w-]{1,64}[:=])[^\s\"'\\,;]{1,8192}){0,4})",
    re.IGNORECASE,
)
_JWT: Final = re.compile(r"eyJ[\w-]{5,8192}\.[\w-]{5,8192}(?:\.[\w-]{0,8192}){0,3}")
_USERINFO: Final = re.compile(r"(?:://|%3A%2F%2F)(?P<secret>[^\s/?#\"'<>]{1,512})(?:@|%40)", re.IGNORECASE)
_KNOWN: Final = re.compile(
    r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_\w{36,255}|github_pat_\w{22,255}|glpat-[\w-]{20,255}"
    r"|xox[abeoprs]-[\w-]{10,255}|[rs]k_(?:live|test)_\w{16,255}|AIza[\w-]{35}|tl_(?:ingest|read)_[\w-]{16,255}"
    r"|sk-[\w-]{20,255})"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,16384}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
)


def _cards(text: str) -> Iterator[Find]:
    if not re.search(r"\d{4}", text):
        return
    for match in _CARD.finditer(text):
        digits = "".join(
            str(unicodedata.digit(one)) for one in match[0].replace("%20", "") if one.isdecimal()
        )
        if _issued(digits) and _checked(digits) and not _in_hex(text, match.start(), match.end()):
            yield Find(match.start(), match.end(), digits)


def _issued(digits: str) -> bool:
    """Whether a card of this length and first digits is issued by anybody (ISO/IEC 7812)."""
    size, two, three, four = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    if size == 14:
        return two in (36, 38, 39) or 300 <= three <= 305
    if size == 15:
        return two in (34, 37)
    if size == 16 and (51 <= two <= 55 or 2221 <= four <= 2720):
        return True
    return size >= 16 and (digits[0] in "46" or two in (50, 56, 57, 58) or 3528 <= four <= 3589)


def _checked(digits: str) -> bool:
    """Luhn's check digit (ISO/IEC 7812-1, annex B)."""
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    return (sum(map(int, digits[::-2])) + sum(one // 10 + one % 10 for one in doubled)) % 10 == 0


def _in_hex(text: str, start: int, end: int) -> bool:
    """Whether the digits are a part of a longer hexadecimal id, which a card number never is."""
    if not text[start:end].isdecimal():
        return False
    while start > 0 and text[start - 1] in "0123456789abcdefABCDEF" and end - start < _HEX_RUN:
        start -= 1
    while end < len(text) and text[end] in "0123456789abcdefABCDEF" and end - start < _HEX_RUN:
        end += 1
    return end - start >= _HEX_RUN


def _emails(text: str) -> Iterator[Find]:
    if "@" in text or "%40" in text:
        for match in _EMAIL.finditer(text):
            yield Find(match.start(), match.end(), match[0].replace("%40", "@").lower())


def _bearers(text: str) -> Iterator[Find]:
    low = text.lower()
    found: list[Find] = []
    if "bearer" in low:
        found += (Find(*match.span("secret"), match["secret"]) for match in _BEARER.finditer(text))
    if "basic" in low:
        found += (
            Find(*match.span("secret"), match["secret"])
            for match in _BASIC.finditer(text)
            if _is_basic(match["secret"])
        )
    if "authorization" in low:
        known = sorted(found)
        for match in _AUTHORIZATION.finditer(text):
            start, end = match.span("secret")
            at = bisect_left(known, (end,)) - 1  # the last that begins before this one ends
            if at < 0 or known[at].end <= start:  # else only the scheme is more
                found.append(Find(start, end, match["secret"]))
    yield from sorted(found)


def _is_basic(encoded: str) -> bool:
    """Whether it is name:password in base64 (RFC 7617), and no word of a sentence."""
    plain = encoded.replace("%3D", "=").rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return b":" in b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        return False


def _jwts(text: str) -> Iterator[Find]:
    if "eyJ" in text:
        for match in _JWT.finditer(text):
            yield Find(match.start(), match.end(), match[0])


def _credentials(text: str) -> Iterator[Find]:
    if "://" in text or "%3a%2f%2f" in text.lower():
        for match in _USERINFO.finditer(text):
            yield Find(*match.span("secret"), match["secret"])


def _known(text: str) -> Iterator[Find]:
    for match in _KNOWN.finditer(text):
        yield Find(match.start(), match.end(), match[0])


DETECTORS: Final[dict[str, Detector]] = {
    one.name: one
    for one in (
        Detector(
            "card", "card numbers", "14 to 19 digits of an issuer's range with a right check digit", _cards
        ),
        Detector("email", "e-mail addresses", "also percent-encoded", _emails),
        Detector(
            "bearer",
            "Authorization credentials",
            "Bearer and Basic, and whole Authorization headers",
            _bearers,
        ),
        Detector("jwt", "JSON web tokens", "signed and encrypted ones, bare or in a text", _jwts),
        Detector("url", "credentials in URLs", "what stands between :// and @", _credentials),
        Detector(
            "token",
            "tokens of known form",
            "AWS, GitHub, GitLab, Slack, Stripe, Google, ours; private keys",
            _known,
        ),
    )
}
"""By name, in the order in which a text is searched when no rule says otherwise."""
