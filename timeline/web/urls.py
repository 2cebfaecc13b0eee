"""Which address shows what."""

from __future__ import annotations

from django.urls import path

from timeline.web import account, pages

page_patterns = [
    path("", pages.home, name="home"),
    path("search", pages.search, name="search"),
    path("facts/<str:fact_id>", pages.fact, name="fact"),
    path("traces/<str:trace_id>", pages.trace, name="trace"),
    path("traces/<str:trace_id>/rows", pages.trace_rows, name="trace_rows"),
    path("signin", account.signin, name="signin"),
    path("signin/<str:secret>", account.signin_by_link, name="signin_by_link"),
    path("signout", account.signout, name="signout"),
]
urlpatterns = page_patterns
handler400 = "timeline.web.pages.bad_request"
