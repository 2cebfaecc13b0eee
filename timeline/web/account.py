"""Signing in and out: by a one-time link, or by name and password."""

from __future__ import annotations

from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from timeline import keys
from timeline.web.contexts.frame import frame

_BACKEND = "django.contrib.auth.backends.ModelBackend"


def _wanted(request: HttpRequest) -> str:
    """Where the reader was going, if that is a page of ours."""
    path = request.POST.get("next") or request.GET.get("next") or "/"
    safe = url_has_allowed_host_and_scheme(path, allowed_hosts=None, require_https=request.is_secure())
    return path if safe and path.startswith("/") else "/"


@login_not_required
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def signin(request: HttpRequest) -> HttpResponse:
    """``/signin``: how to get a link, and the form for those who have a password."""
    if request.user.is_authenticated and request.method != "POST":
        return redirect(_wanted(request))
    form = AuthenticationForm(request, data=request.POST or None)
    if request.method == "POST" and form.is_valid():
        login(request, form.get_user())
        return redirect(_wanted(request))
    wrong = request.method == "POST"
    context = {"frame": frame(request, "signin", "Sign in"), "next": _wanted(request), "wrong": wrong}
    return render(request, "timeline/signin.html", context, status=403 if wrong else 200)


@login_not_required
@require_GET
def signin_by_link(request: HttpRequest, secret: str) -> HttpResponse:
    """``/signin/<secret>``: spends the link and lands signed in."""
    user = keys.use_link(secret)
    if user is None:
        context = {"frame": frame(request, "signin", "Sign in"), "next": "/", "spent": True}
        return render(request, "timeline/signin.html", context, status=403)
    login(request, user, backend=_BACKEND)
    return redirect("/")


@require_POST
def signout(request: HttpRequest) -> HttpResponse:
    """``/signout``: ends the session."""
    logout(request)
    return redirect("/signin")
