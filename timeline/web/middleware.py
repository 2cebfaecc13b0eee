"""What every response carries, and who may ask the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from timeline.store.patience import patience
from timeline.web import problems

_MOST = 9 << 20  # bytes of a form or an API body: 10,000 ids with room to spare
WAITS = 5.0  # s that a question waits for the store in all
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class SecurityHeaders:
    """Sets the content security policy; answers to questions are never cached."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on and add the headers."""
        response = _too_large(request) or self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


class Patience:
    """Bounds how long an answer waits for a store that is silent; a file that streams is no such answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on, within the bound."""
        with patience(WAITS):
            return self._get_response(request)


def _too_large(request: HttpRequest) -> HttpResponse | None:
    """Refuse a body by its stated length, before anything of it is spooled to the disk."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return None
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) <= _MOST:
        return None
    remedy = f"send at most {_MOST >> 20} MiB, and state the length"
    return problems.problem(
        413, "Too large", "the body is too large, or does not state its length", remedy=remedy
    )


class SignInRequired(LoginRequiredMiddleware):
    """Everything needs a session, save what authenticates by itself or tells nothing."""

    _OWN = ("/api/", "/healthz", "/readyz", "/metrics", "/static/")

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: Any,
        view_kwargs: Any,
    ) -> HttpResponseBase | None:
        """Send strangers to the sign-in page."""
        if request.path.startswith(self._OWN):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)
