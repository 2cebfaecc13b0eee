"""Which address shows what."""

from __future__ import annotations

from django.urls import path

from timeline.web import pages

page_patterns = [
    path("search", pages.search, name="search"),
]
urlpatterns = page_patterns
