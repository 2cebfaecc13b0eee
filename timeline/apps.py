"""The one Django app of the product."""

from django.apps import AppConfig


class TimelineConfig(AppConfig):
    """Registers the models; opens nothing."""

    name = "timeline"
