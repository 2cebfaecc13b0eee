"""One URL names a cluster, who we are there, and what our index names start with."""

import pytest

from timeline.store.elasticsearch.address import EXAMPLE, Address, read_address


def test_a_whole_address_is_read() -> None:
    expected = Address(
        nodes=("https://a.example:9200", "https://b.example:9243"),
        user="us:er",
        password="p@ss/word",
        prefix="shop-1",
    )
    assert expected == read_address(
        "elasticsearch+https://us%3Aer:p%40ss%2Fword@a.example,b.example:9243/shop-1"
    )


def test_what_is_left_out_has_a_default() -> None:
    assert Address(nodes=("http://127.0.0.1:9200",)) == read_address("elasticsearch://127.0.0.1")
    assert read_address("elasticsearch://h:1/") == read_address("elasticsearch://h:1")
    assert "throughline" == read_address("elasticsearch://h").prefix


def test_the_example_of_the_settings_is_an_address() -> None:
    assert 2 == len(read_address(EXAMPLE).nodes)


def test_an_ipv6_node_keeps_its_brackets() -> None:
    address = read_address("elasticsearch://[::1]:9201")
    assert ("http://[::1]:9201",) == address.nodes
    assert address.near


@pytest.mark.parametrize(("url", "near"), [("localhost", True), ("127.0.0.1,search-1", False)])
def test_only_a_cluster_on_this_machine_is_near(url: str, near: bool) -> None:
    assert near == read_address(f"elasticsearch://{url}").near


@pytest.mark.parametrize(
    "url",
    [
        "elasticsearch:/h",
        "http://h:9200",
        "elasticsearch://",
        "elasticsearch://user:hunter2@/x",
        "elasticsearch://h:port",
        "elasticsearch://h:99999",
        "elasticsearch://h,,g",
        "elasticsearch://h/Upper",
        "elasticsearch://h/a/b",
        "elasticsearch://h/_x",
        "elasticsearch://h/*",
        "elasticsearch://h/x?y=1",
        "elasticsearch://user:hunter2@h/a,b",
    ],
)
def test_a_bad_address_is_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(ValueError) as raised:
        read_address(url)
    assert "hunter2" not in str(raised.value)
