"""What ``THROUGHLINE_BROKER_URL`` means to Celery: a folder, RabbitMQ or Redis.

The broker carries hints and the clock's ticks, never data: losing any message, or the whole broker,
loses nothing. So what matters here is that nothing waits for it and that nothing piles up in it.
"""

from __future__ import annotations

import socket
import ssl
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kombu.entity import Queue

_MOST = 100  # messages that wait for one node: more would say nothing new
_SECONDS = 5  # for a connection, or an answer on it


def configuration(url: str, *, queue: str, folder: Path) -> dict[str, Any]:
    """Celery's settings for a broker; ``queue`` is this node's own, ``folder`` serves ``filesystem://``."""
    common = {
        "broker_url": url,
        "broker_connection_timeout": _SECONDS,
        "broker_connection_retry_on_startup": True,
        # for ever, a refused login included: the sweeper drains meanwhile, and would end with the worker
        "broker_connection_max_retries": None,
        "broker_channel_error_retry": True,
        "task_default_queue": queue,
        # nobody asks workers or beats over the broker: no reply queues, no broadcasts
        "worker_enable_remote_control": False,
        "beat_enable_remote_control": False,
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.2},
    }
    scheme = urlsplit(url).scheme
    if scheme == "filesystem":
        return common | _folder(folder)
    if scheme.startswith("redis"):
        return common | _redis(secure=scheme == "rediss")
    return common | _rabbitmq(queue, secure=scheme == "amqps")


def _folder(folder: Path) -> dict[str, Any]:
    for name in ("queue", "control"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {
        "broker_transport_options": {
            "data_folder_in": str(folder / "queue"),
            "data_folder_out": str(folder / "queue"),
            "control_folder": str(folder / "control"),
            "polling_interval": 0.1,
        }
    }


def _rabbitmq(queue: str, *, secure: bool) -> dict[str, Any]:
    limits = {"x-queue-type": "quorum", "x-max-length": _MOST, "x-overflow": "drop-head"}
    return {
        "task_default_queue_type": "quorum",  # quorum queues know no global prefetch: Celery then asks for none
        "task_queues": [Queue(queue, routing_key=queue, queue_arguments=limits)],  # type: ignore[no-untyped-call]
        "broker_heartbeat": 20,
        "broker_transport_options": {
            "confirm_publish": True,
            # milliseconds: a broker behind a cut cable never says that it is gone
            "socket_settings": {socket.TCP_USER_TIMEOUT: _SECONDS * 2000} if sys.platform == "linux" else {},
        },
        "broker_use_ssl": {"cert_reqs": ssl.CERT_REQUIRED} if secure else None,
    }


def _redis(*, secure: bool) -> dict[str, Any]:
    return {
        "broker_transport_options": {
            "socket_timeout": _SECONDS * 2,
            "socket_connect_timeout": _SECONDS,
            "socket_keepalive": True,
            "health_check_interval": 15,
            # a message that a killed worker held comes again after this long, and says nothing new
            "visibility_timeout": 3600,
        },
        "broker_use_ssl": {"ssl_cert_reqs": ssl.CERT_REQUIRED} if secure else None,
    }


def is_full(url: str, connection: Any, queue: str) -> bool:
    """Whether so much waits for a node already that one more message says nothing new.

    Redis alone must be asked: a quorum queue has a limit of its own, a folder is looked at instead.
    """
    if not url.startswith("redis"):
        return False
    return bool(connection.default_channel.client.llen(queue) >= _MOST)
