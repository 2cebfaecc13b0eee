"""Tokens and sign-in links: made, shown once, hashed at rest, checked in constant time."""

from __future__ import annotations

import hashlib
import secrets
import time
import zlib
from datetime import datetime, timedelta

import msgspec
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils import timezone

from timeline.errors import Rejected
from timeline.models import Audit, SignInLink, Token

_LINK_LIFE = timedelta(minutes=30)
_NAMES = 100  # characters of a name, a team or an environment
_MOST = 10**12  # of a quota
_KEPT = 1_000  # live tokens remembered
FRESH = 3.0  # s: less than the five in which a revoked token ends


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a key is, where it may write, and how much; a quota of ``None`` is what the settings say."""

    name: str
    team: str = ""
    workspace: str = "main"
    environment: str = ""
    quota_items: int | None = None  # a second
    quota_burst: int | None = None
    quota_bytes: int | None = None  # a second


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def create(
    name: str, scope: str, *, workspace: str = "main", days: int | None = None, by: str = "command line"
) -> str:
    """Make a token that may write anywhere; see ``make``."""
    return make(Terms(name=name, workspace=workspace), scope, days=days, by=by)


def make(terms: Terms, scope: str, *, days: int | None = None, by: str = "command line") -> str:
    """Make a token and return it: the only time it can be read. Written into the audit.

    Written ``tl_<scope>_<40 random characters>_<checksum>``, so that secret scanners can
    recognise one and a mistyped one is told from a revoked one. Raises ``Rejected`` where the terms
    cannot be, or where live keys of this name have others: a name is one sender.
    """
    _check(terms, scope)
    body = f"tl_{scope}_{secrets.token_hex(20)}"
    token = f"{body}_{zlib.crc32(body.encode()):08x}"
    Token.objects.create(
        scope=scope,
        prefix=token[:16],
        digest=_digest(token),
        expires=timezone.now() + timedelta(days=days) if days else None,
        **msgspec.structs.asdict(terms),
    )
    _audit("token create", token[:16], terms.name, by)
    return token


def rotate(old: Token, overlap: timedelta, *, by: str = "command line") -> str:
    """Make the next key of a sender and let its live ones end after ``overlap``; returns the new one.

    Both may send meanwhile, under one name: nothing is refused and the accounting goes on.
    """
    terms = Terms(**{name: getattr(old, name) for name in Terms.__struct_fields__})
    end = timezone.now() + overlap
    former = [one for one in same(old) if one.expires is None or one.expires > end]
    token = make(terms, old.scope, by=by)
    Token.objects.filter(pk__in=[one.pk for one in former]).update(expires=end)
    _audit("token rotate", old.prefix, f"{old.name}, ends {end:%Y-%m-%d %H:%M} UTC", by)
    return token


def revoke(token: Token, *, by: str = "command line") -> None:
    """End a token: receivers know within five seconds."""
    Token.objects.filter(pk=token.pk, revoked__isnull=True).update(revoked=timezone.now())
    _audit("token revoke", token.prefix, token.name, by)


def live(at: datetime | None = None) -> QuerySet[Token]:
    """Tokens that are neither revoked nor expired."""
    now = at or timezone.now()
    return Token.objects.filter(Q(expires__isnull=True) | Q(expires__gt=now), revoked__isnull=True)


def state(token: Token, now: datetime) -> str:
    """``live``, ``revoked`` or ``expired``."""
    if token.revoked is not None:
        return "revoked"
    return "expired" if token.expires is not None and token.expires <= now else "live"


def same(token: Token) -> QuerySet[Token]:
    """Live tokens of the same name and scope in the same workspace."""
    return live().filter(name=token.name, scope=token.scope, workspace=token.workspace)


def _check(terms: Terms, scope: str) -> None:
    if not terms.name.strip() or any(
        len(text) > _NAMES for text in (terms.name, terms.team, terms.environment)
    ):
        raise Rejected(f"a key has a name; name, team and environment have up to {_NAMES} characters")
    if any(
        number is not None and not 0 < number <= _MOST
        for number in (terms.quota_items, terms.quota_burst, terms.quota_bytes)
    ):
        raise Rejected("a quota is a whole number from 1 on", remedy="leave it out for what the settings say")
    if terms.quota_burst is not None and terms.quota_items is None:
        raise Rejected("a burst needs a number of items a second")
    if scope != Token.Scope.INGEST:
        return
    for other in live().filter(name=terms.name, scope=scope):
        if (other.workspace, other.environment, other.team) != (
            terms.workspace,
            terms.environment,
            terms.team,
        ):
            raise Rejected(
                f"{terms.name!r} is another sender: its key {other.prefix} is of another team, workspace or"
                " environment",
                remedy="choose another name: keys of one name are one sender to the accounting",
            )


def _audit(what: str, prefix: str, detail: str, by: str) -> None:
    Audit.objects.create(who=by, what=what, detail=f"{prefix} {detail}"[:1000])


def find(secret: str, scope: str) -> Token | None:
    """The live token of this scope, or ``None``: unknown, expired, revoked or of the other scope.

    Looked up by the digest of what was sent, so the time taken tells nothing of the secret.
    """
    return live().filter(digest=_digest(secret), scope=scope).first()


def remembered(secret: str, scope: str) -> Token | None:
    """As ``find``, asked at most every ``FRESH`` seconds for a live token: a client asks again and again."""
    key, now = (_digest(secret), scope), time.monotonic()
    known = _live.get(key)
    if known is not None and now - known[0] <= FRESH:
        return known[1]
    token = find(secret, scope)
    if token is None:
        _live.pop(key, None)
    else:
        if len(_live) >= _KEPT:
            _live.clear()
        _live[key] = (now, token)
    return token


_live: dict[tuple[str, str], tuple[float, Token]] = {}


def create_link(user: User) -> str:
    """A path that signs its opener in once, within half an hour."""
    secret = secrets.token_urlsafe(32)
    SignInLink.objects.create(digest=_digest(secret), user=user, expires=timezone.now() + _LINK_LIFE)
    return f"/signin/{secret}"


def use_link(secret: str) -> User | None:
    """Spend a link: its user, or ``None`` where it is unknown, used or too old."""
    now = timezone.now()
    spent = SignInLink.objects.filter(digest=_digest(secret), used__isnull=True, expires__gt=now)
    if not spent.update(used=now):
        return None
    return SignInLink.objects.get(digest=_digest(secret)).user


def first_user() -> User:
    """The person who runs this: made without a password on the first start."""
    user, made = User.objects.get_or_create(
        username="operator", defaults={"is_staff": True, "is_superuser": True}
    )
    if made:
        user.set_unusable_password()
        user.save()
    return user
