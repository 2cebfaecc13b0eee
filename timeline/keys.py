"""Tokens and sign-in links: made, shown once, hashed at rest, checked in constant time."""

from __future__ import annotations

import hashlib
import secrets
import zlib
from datetime import timedelta

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from timeline.models import SignInLink, Token

_LINK_LIFE = timedelta(minutes=30)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def create(name: str, scope: str, *, workspace: str = "main", days: int | None = None) -> str:
    """Make a token and return it: the only time it can be read.

    Written ``tl_<scope>_<32 random characters>_<checksum>``, so that secret scanners can
    recognise one and a mistyped one is told from a revoked one.
    """
    body = f"tl_{scope}_{secrets.token_hex(20)}"
    token = f"{body}_{zlib.crc32(body.encode()):08x}"
    Token.objects.create(
        name=name,
        scope=scope,
        prefix=token[:16],
        digest=_digest(token),
        workspace=workspace,
        expires=timezone.now() + timedelta(days=days) if days else None,
    )
    return token


def find(secret: str, scope: str) -> Token | None:
    """The live token of this scope, or ``None``: unknown, expired, revoked or of the other scope.

    Looked up by the digest of what was sent, so the time taken tells nothing of the secret.
    """
    now = timezone.now()
    return (
        Token.objects.filter(digest=_digest(secret), scope=scope, revoked__isnull=True)
        .filter(Q(expires__isnull=True) | Q(expires__gt=now))
        .first()
    )


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
