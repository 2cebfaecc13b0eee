"""Django's settings, all derived from ``config.env``."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any

from config import env, telling
from config.databases import database

BASE_DIR = Path(__file__).resolve().parent.parent
THROUGHLINE: dict[str, Any] = env.read()
DATA_DIR: Path = THROUGHLINE["THROUGHLINE_DATA_DIR"]
DATA_DIR.mkdir(parents=True, exist_ok=True)
telling.prepare(DATA_DIR)


def _secret_key() -> str:
    given: str = THROUGHLINE["THROUGHLINE_SECRET_KEY"]
    if given:
        return given
    file = DATA_DIR / "secret_key"
    if not file.exists():
        # written whole, then renamed: several processes may start at once
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(50))
        with contextlib.suppress(FileExistsError):
            os.link(fresh, file)
        fresh.unlink()
    return file.read_text().strip()


SECRET_KEY = _secret_key()
DEBUG = False
# loopback always: the supervisor asks there whether the dashboard is ready
ALLOWED_HOSTS = [*THROUGHLINE["THROUGHLINE_ALLOWED_HOSTS"], "localhost", "127.0.0.1", "[::1]"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "timeline",
]
MIDDLEWARE = [
    "timeline.web.middleware.Told",
    "timeline.web.middleware.SecurityHeaders",
    "timeline.web.middleware.ApiProblems",
    "timeline.web.middleware.Patience",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "timeline.web.middleware.SignInRequired",
]
APPEND_SLASH = False
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
DATABASES = {"default": database(THROUGHLINE["DATABASE_URL"], DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}}
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
LOGIN_URL = "/signin"
LOGIN_REDIRECT_URL = "/"
SESSION_COOKIE_NAME = "throughline"
SESSION_COOKIE_AGE = 14 * 86400
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = (
    "same-origin"  # with no-referrer a form is sent with "Origin: null", which CSRF protection refuses
)
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 << 20  # 10,000 pasted ids fit; the receiver has limits of its own
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "timeline" / "static"  # served from where it lies: there is no build step
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
CSRF_FAILURE_VIEW = "timeline.web.pages.csrf_failure"
LOGGING = telling.logging(
    THROUGHLINE["THROUGHLINE_LOG_LEVEL"],
    THROUGHLINE["THROUGHLINE_LOG_FORMAT"],
    THROUGHLINE["THROUGHLINE_NODE"],
)
