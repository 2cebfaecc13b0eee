"""Who may read, where it is not a page that asks, and who may decide."""

from __future__ import annotations

import base64

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from timeline import keys
from timeline.models import Token


def operator(request: HttpRequest) -> str:
    """The operator's name; anybody else is refused."""
    user = request.user
    if not isinstance(user, User) or not user.is_staff:
        raise PermissionDenied
    return user.get_username()


def may_read(request: HttpRequest) -> bool:
    """A session, a read token, or a read token as the password of basic authentication."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Basic":
        try:
            secret = base64.b64decode(secret, validate=True).decode().partition(":")[2]
        except ValueError:  # no base64, or no text in it
            return False
    elif scheme != "Bearer":
        return request.user.is_authenticated
    return keys.remembered(secret, Token.Scope.READ) is not None
