"""Members of a consumer group in a process of their own: ``brokers group data members churn``.

All write into one embedded index, which one process may do. With ``churn`` members leave and others
come all the time. Ends on SIGTERM, once ``data/ready`` is there.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path


def main(brokers: str, group: str, data: str, members: str, churn: str) -> None:
    """Consume until told to stop."""
    os.environ["THROUGHLINE_DATA_DIR"] = data
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()
    from django.core.management import call_command

    from timeline import records
    from timeline.broker.consume import Consuming
    from timeline.redactions import Redactions
    from timeline.store.tantivy import TantivyStore

    call_command("migrate", verbosity=0)
    store = TantivyStore(Path(data) / "index", writable=True)
    store.prepare()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    (Path(data) / "ready").touch()

    def member() -> tuple[Consuming, threading.Thread]:
        config = {"bootstrap.servers": brokers, "group.id": group}
        made = Consuming(
            config, {"otlp_spans": "traces"}, store, records.rules, lambda dirty: None, Redactions()
        )
        thread = threading.Thread(target=made.run)
        thread.start()
        return made, thread

    running = [member() for _ in range(int(members))]
    while not ended.wait(1.0):
        if churn == "churn":
            first, thread = running.pop(0)
            first.stop()
            thread.join()
            running.append(member())
    for one, _ in running:
        one.stop()
    for _, thread in running:
        thread.join()
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
