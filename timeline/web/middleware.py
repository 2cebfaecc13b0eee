"""What every response carries, and who may ask the API."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from opentelemetry.trace import SpanKind
from structlog.contextvars import bound_contextvars

from timeline.store.patience import patience
from timeline.telemetry import spans
from timeline.telemetry.figures import ANSWERED
from timeline.web import problems

_MOST = 9 << 20  # bytes of a form or an API body: 10,000 ids with room to spare
WAITS = 5.0  # s that a question waits for a store which is silent, in all
STEADY = 15.0  # s that it waits beyond that for answers which come
_PROBES = ("/healthz", "/readyz", "/metrics")  # asked all day long
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Told:
    """Counts and times each answer, and names it in what is logged and traced meanwhile."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on, and tell."""
        began = perf_counter()
        number = uuid4().hex[:12]
        with (
            bound_contextvars(request=number, method=request.method, path=request.path[:200]),
            spans.span(
                f"{request.method} page", kind=SpanKind.SERVER, own=request.path in _PROBES, request=number
            ) as span,
        ):
            response = self._get_response(request)
            match = request.resolver_match
            view = match.view_name.rpartition(".")[2] if match and match.view_name else "none"
            if span is not None:
                span.update_name(f"{request.method} {view}")
                span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= 500:
                spans.failed(span, response.reason_phrase)
        ANSWERED.labels(view, str(response.status_code)).observe(perf_counter() - began)
        return response


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
        with patience(WAITS, spare=STEADY):
            return self._get_response(request)


class ApiProblems:
    """Whoever asks the API is told what is wrong in its own form, also where no operation was reached."""

    _SAID: Final = {
        404: ("No such operation", "the API has nothing at this address", "see /api/openapi.json"),
        405: ("Not this method", "this address does not take that method", "see the header Allow"),
    }

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on, and put a page or a bare line of an error into a problem document."""
        response = self._get_response(request)
        said = "json" in response.headers.get("Content-Type", "")
        if response.status_code < 400 or said or not request.path.startswith("/api/"):
            return response
        title, detail, remedy = self._SAID.get(
            response.status_code, (response.reason_phrase, "", "the log of the web process says why")
        )
        answer = problems.problem(response.status_code, title, detail, remedy=remedy)
        if "Allow" in response.headers:
            answer.headers["Allow"] = response.headers["Allow"]
        return answer


def _too_large(request: HttpRequest) -> HttpResponse | None:
    """Refuse a body by its stated length, before anything of it is spooled to the disk."""
    if request.method not in ("POST", "PUT", "PATCH"):  # nothing reads the body of another
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
