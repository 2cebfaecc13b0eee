"""A cluster is chosen by one setting, whose password never shows."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.env import read
from tests.ports import free_port
from tests.servers import elasticsearch
from timeline import wiring
from timeline.errors import StoreUnavailable
from timeline.store.elasticsearch.store import ElasticsearchStore

URL = "elasticsearch://user:hunter2@search-1:9200,search-2:9200/shop"


def test_the_address_of_a_cluster_is_taken_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(URL + "\n")
    assert URL == read({"THROUGHLINE_STORE_URL": URL})["THROUGHLINE_STORE_URL"]
    assert URL == read({"THROUGHLINE_STORE_URL_FILE": str(file)})["THROUGHLINE_STORE_URL"]


@pytest.mark.parametrize("bad", [URL.replace("9200/", "x/"), URL + "/deeper", "elastic://user:hunter2@h"])
def test_a_bad_address_names_the_setting_and_an_example_but_no_password(bad: str) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        read({"THROUGHLINE_STORE_URL": bad})
    said = str(raised.value)
    assert "THROUGHLINE_STORE_URL" in said
    assert "elasticsearch://" in said
    assert "hunter2" not in said


def test_a_cluster_that_is_away_is_said_to_be(settings: object) -> None:
    with pytest.raises(StoreUnavailable):
        wiring.open_store(f"elasticsearch://127.0.0.1:{free_port()}/x", writable=True)


@pytest.mark.server
def test_the_wiring_opens_the_cluster_for_writers_and_readers_alike() -> None:
    address = elasticsearch.shared()
    for writable in (True, False):
        with wiring.open_store(f"elasticsearch://{address}/wired", writable=writable) as store:  # type: ignore[attr-defined]
            assert isinstance(store, ElasticsearchStore)
            store.check()
