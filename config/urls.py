"""Where the dashboard and the API are mounted."""

from django.urls import include, path

urlpatterns = [path("", include("timeline.web.urls"))]
