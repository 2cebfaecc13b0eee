"""The dashboard as a WSGI application, served by granian."""

import os

from django.core.wsgi import get_wsgi_application

from timeline.management.parent import die_with, spawner

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
die_with(spawner())  # as the receiver does
application = get_wsgi_application()
