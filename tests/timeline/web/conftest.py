"""Fixtures of the pages' tests."""

from tests.timeline.web.house import house

__all__ = ["house"]
