"""Where the dashboard, the API and the probes are mounted."""

from django.urls import include, path

from timeline.web import pages, probes
from timeline.web.api import api
from timeline.web.peers import jaeger, zipkin

urlpatterns = [
    *jaeger.urlpatterns,
    *zipkin.urlpatterns,
    path("api/", api.urls),
    path("healthz", probes.healthz),
    path("readyz", probes.readyz),
    path("metrics", probes.metrics),
    path("", include("timeline.web.urls")),
]
handler400 = pages.bad_request
handler403 = pages.forbidden
handler404 = pages.not_found
handler500 = pages.failed
