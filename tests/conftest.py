"""What every test may ask for, and which tests keep together when several processes share a run (``-n``)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from itertools import chain

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.sharing import together

# before Django reads its settings: tests never touch the data of a running node
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ["THROUGHLINE_DATA_DIR"] = tempfile.mkdtemp(prefix="throughline-test-")

# how long an example takes says only how busy the machine is
settings.register_profile(
    "throughline", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("throughline")


_BESIDE_OTHERS = ("server", "pages")  # marks of what depends on processes that are not ours


class _Together(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a process that is free the next group, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _Together:
    """Groups, whatever ``--dist`` says: pytest-xdist 3.8 loses the marks of its own under pytest 9.2."""
    config.option.loadscopereorder = False
    return _Together(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Begin with the groups that take longest, so that no process works alone in the end.

    Within that the order stays random. What drives real servers or a browser on a machine that it
    shares is tried once more where it fails; the run's closing line counts those.
    """
    yield
    for item in items:
        if any(map(item.get_closest_marker, _BESIDE_OTHERS)):
            item.add_marker(pytest.mark.flaky(reruns=1))
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(together(item.nodeid), []).append(item)
    items[:] = chain.from_iterable(sorted(groups.values(), key=lambda members: min(map(_turn, members))))


def _turn(item: pytest.Item) -> int:
    long, served = (
        ("slow", "timeout"),
        ("server", "pages"),
    )  # given more time than others; with a server to start
    for turn, names in enumerate((long, served)):
        if any(map(item.get_closest_marker, names)):
            return turn
    return 2
