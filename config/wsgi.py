"""The dashboard as a WSGI application, served by granian."""

import gc
import os

from django.core.wsgi import get_wsgi_application

from config import telling
from timeline.management.parent import die_with, spawner

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
gc.set_threshold(50_000, 20, 50)  # a long trace makes millions of objects and hardly a cycle among them
die_with(spawner())  # as the receiver does
application = get_wsgi_application()
telling.spans("web")
