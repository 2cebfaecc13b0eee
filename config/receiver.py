"""The receiver as granian loads it: ``config.receiver:application``, interface rsgi."""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django
from django.conf import settings
from django.db import Error, close_old_connections

from timeline.management.parent import die_with, spawner
from timeline.store.ready import plain

_FILES = 8192  # open connections and files, where the system allows


def _allow_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


die_with(spawner())  # a worker whose master was killed must not keep the port: nobody would restart it
_allow_connections()
sys.setswitchinterval(0.0005)  # s: whoever judges a large request lets the others in between
django.setup()

from config import telling  # noqa: E402 - Django comes first
from config.celery import hint  # noqa: E402
from timeline import keys, markers  # noqa: E402
from timeline.inbox.inbox import Inbox  # noqa: E402
from timeline.ingest.markers import read as read_markers  # noqa: E402
from timeline.models import Token  # noqa: E402
from timeline.receive.access import Gate, Keys, Sender, lookup_failed  # noqa: E402
from timeline.receive.grpc import Grpc  # noqa: E402
from timeline.receive.pressure import Pressure  # noqa: E402
from timeline.receive.quota import Quotas  # noqa: E402
from timeline.receive.receiver import Limits, Receiver  # noqa: E402
from timeline.receive.server import Application  # noqa: E402
from timeline.receive.uses import Uses  # noqa: E402
from timeline.redactions import Redactions  # noqa: E402


def _look(secret: str) -> Sender | None:
    try:
        token = keys.find(secret, Token.Scope.INGEST)
    except Error as error:
        close_old_connections()
        raise lookup_failed(error) from error
    if token is None:
        return None
    return Sender(
        name=token.name,
        workspace=token.workspace,
        environment=token.environment,
        quota_items=token.quota_items,
        quota_burst=token.quota_burst,
        quota_bytes=token.quota_bytes,
        key=token.pk,
    )


def _mark(body: bytes, sender: Sender) -> int:
    try:
        return markers.keep(
            read_markers(body, time.time_ns()),
            by=sender.name or "this machine",
            workspace=sender.workspace,
        )
    finally:
        close_old_connections()


def _application() -> Application:
    values = settings.THROUGHLINE
    folder = Path(settings.DATA_DIR)
    inbox = Inbox(folder / "inbox.sqlite3")
    uses = Uses()
    receiver = Receiver(
        inbox=inbox,
        pressure=Pressure(inbox, folder, most=values["THROUGHLINE_INBOX_MAX_MIB"] << 20),
        keys=Keys(_look, uses.note),
        gate=Gate(host=values["THROUGHLINE_RECEIVER_HOST"], origins=values["THROUGHLINE_CORS_ORIGINS"]),
        limits=Limits(body=values["THROUGHLINE_MAX_BODY_MIB"] << 20, items=values["THROUGHLINE_MAX_ITEMS"]),
        node=values["THROUGHLINE_NODE"],
        hint=hint,
        mark=_mark,
        quotas=Quotas(values["THROUGHLINE_QUOTA_ITEMS"]),
        uses=uses,
        redactions=Redactions(),
        plain=None if values["THROUGHLINE_DECODER"] == "python" else plain,
    )
    port = values["THROUGHLINE_GRPC_PORT"]
    beside = [Grpc(receiver, host=values["THROUGHLINE_RECEIVER_HOST"], port=port)] if port else []
    return Application(receiver, threads=values["THROUGHLINE_RECEIVER_THREADS"], beside=beside)


telling.spans("receiver")
application = _application()
