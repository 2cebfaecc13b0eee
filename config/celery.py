"""Celery: the drain's hints and the periodic tasks.

Tasks carry no payload and keep no result: the inbox holds what matters, so losing any
message of the broker loses nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery, bootsteps
from celery.signals import setup_logging
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

app = Celery("throughline")
_broker: str = settings.THROUGHLINE["THROUGHLINE_BROKER_URL"]
app.conf.update(
    broker_url=_broker,
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    task_default_queue=f"drain.{settings.THROUGHLINE['THROUGHLINE_NODE']}",
    imports=["timeline.tasks"],
    timezone="UTC",
    beat_schedule_filename=str(Path(settings.DATA_DIR) / "beat"),
    beat_schedule={
        "expire": {"task": "timeline.tasks.expire", "schedule": 600.0},
        "tidy": {"task": "timeline.tasks.tidy", "schedule": 3600.0},
    },
)
TRANSPORT_ALIASES["filesystem"] = "config.hints:Transport"
if _broker.startswith("filesystem"):
    _folder = Path(settings.DATA_DIR) / "broker"
    for _name in ("queue", "control"):
        (_folder / _name).mkdir(parents=True, exist_ok=True)
    app.conf.broker_transport_options = {
        "data_folder_in": str(_folder / "queue"),
        "data_folder_out": str(_folder / "queue"),
        "control_folder": str(_folder / "control"),
        "polling_interval": 0.1,
    }


def hint() -> None:
    """Offer a drain to this node's worker, unless one is already on offer."""
    if _broker.startswith("filesystem") and any((Path(settings.DATA_DIR) / "broker" / "queue").iterdir()):
        return  # whoever takes that one sees all that is committed by now
    app.send_task("timeline.tasks.drain", retry=False)


@setup_logging.connect
def _leave_logging(**_: object) -> None:
    """Django's settings say how to log; connecting keeps Celery from changing it."""


class SweeperStep(bootsteps.StartStopStep):
    """Runs the sweeper beside the pool, broker or no broker."""

    requires = {"celery.worker.components:Pool"}

    def start(self, worker: object) -> None:
        """Begin to sweep."""
        # imported here: the models need Django, which Celery sets up after this module
        from timeline.tasks import Sweeper

        self.sweeper = Sweeper()
        self.sweeper.start()

    def stop(self, worker: object) -> None:
        """Finish what is in hand."""
        self.sweeper.stop()


app.steps["worker"].add(SweeperStep)
