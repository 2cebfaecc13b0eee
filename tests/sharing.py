"""Which tests stay in one process when several share a run."""

from __future__ import annotations

import os

CLUSTER = "elasticsearch"
PAGES_STORE = os.environ.get("PAGES_STORE", "embedded")  # or CLUSTER, for a whole run of the pages on it
_CLUSTER_FILES = (
    "/test_elasticsearch_emptied.py",
    "/test_elasticsearch_recent.py",
    "/test_elasticsearch_store.py",
    "/test_round_trips.py",
    "/test_store_url.py",
)
_PAGES = "tests/pages/"  # one story and one browser for all of its files


def together(nodeid: str) -> str:
    """The name of what a test stays with: its file, or all that shares what is costly to start.

    ``CLUSTER`` is the name for those who ask for ``tests.servers.elasticsearch.shared``.
    """
    file, parameters = nodeid.partition("::")[0], nodeid.partition("[")[2]
    if CLUSTER in parameters or file.endswith(_CLUSTER_FILES):
        return CLUSTER
    if file.startswith(_PAGES):
        return CLUSTER if PAGES_STORE == CLUSTER else _PAGES
    return file
