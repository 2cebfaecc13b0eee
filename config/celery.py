"""Celery: the drain's hints and the periodic tasks.

Tasks carry no payload and keep no result: the inbox holds what matters, so losing any
message of the broker loses nothing.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from celery import Celery, bootsteps
from celery.signals import setup_logging, task_postrun, task_prerun, worker_init
from celery.worker.consumer import Consumer
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

from config import brokers, telling
from timeline.telemetry.figures import WORKED

app = Celery("throughline")
_broker: str = settings.THROUGHLINE["THROUGHLINE_BROKER_URL"]
_queue = f"drain.{settings.THROUGHLINE['THROUGHLINE_NODE']}"
_folder = Path(settings.DATA_DIR) / "broker"
_running: dict[str, float] = {}  # tasks in hand, and since when
# a tick that nobody took for this long was followed by others
_TICK = {"expires": 300, "confirm_timeout": 5}
app.conf.update(
    brokers.configuration(_broker, queue=_queue, folder=_folder),
    task_ignore_result=True,
    # taken is done: what a killed worker had in hand is found in the inbox, and the clock ticks on
    task_acks_late=False,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    imports=["timeline.tasks"],
    timezone="UTC",
    beat_scheduler="config.clock:Clock",  # Celery's usual one keeps a file, and never starts again on a torn one
    # ticks are cheap: the database knows when a task is due, and for whom
    beat_schedule={
        name: {"task": f"timeline.tasks.{name}", "schedule": 60.0, "options": _TICK}
        for name in ("expire", "tidy", "tidy_node")
    }
    | {
        name: {
            "task": f"timeline.tasks.{name}",
            "schedule": 10.0,
            "options": _TICK | {"expires": 30},
        }
        for name in ("summarise", "watch")
    },
)
TRANSPORT_ALIASES["filesystem"] = "config.hints:Transport"
# tasks have no time of their own to run at: without this, Celery declares 28 more quorum queues
Consumer.Blueprint.default_steps = [
    step for step in Consumer.Blueprint.default_steps if not step.endswith(":DelayedDelivery")
]


def hint() -> None:
    """Offer a drain to this node's worker, unless enough are on offer; raises where the broker does not
    take it within seconds."""
    if _broker.startswith("filesystem") and any((_folder / "queue").iterdir()):
        return  # whoever takes that one sees all that is committed by now
    with app.producer_or_acquire() as producer:
        if not brokers.is_full(_broker, producer.connection, _queue):
            app.send_task("timeline.tasks.drain", producer=producer, confirm_timeout=5)


@worker_init.connect
def _tell(**_: object) -> None:
    """The worker's own spans."""
    telling.spans("worker")


@task_prerun.connect
def _begun(task_id: str, **_: object) -> None:
    _running[task_id] = time.perf_counter()


@task_postrun.connect
def _ended(task_id: str, task: Any, state: str | None = None, **_: object) -> None:
    began = _running.pop(task_id, None)
    if began is not None:
        took = time.perf_counter() - began
        WORKED.labels(task.name.rpartition(".")[2], (state or "unknown").lower()).observe(took)


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
