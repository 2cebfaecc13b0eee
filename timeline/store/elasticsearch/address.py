"""Where a cluster is, read from one URL."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

DEFAULT_PREFIX: Final = "throughline"
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_SCHEMES = {"elasticsearch": "http", "elasticsearch+https": "https"}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
EXAMPLE: Final = "elasticsearch://user:password@search-1:9200,search-2:9200/throughline"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes of a cluster, who we are there, and what our index names start with."""

    nodes: tuple[str, ...]  # http://host:port
    user: str = ""
    password: str = ""
    prefix: str = DEFAULT_PREFIX

    @property
    def near(self) -> bool:
        """Whether every node is on this machine: there compressing would only cost."""
        return all(urlsplit(node).hostname in _LOOPBACK for node in self.nodes)


def read_address(url: str) -> Address:
    """The address of ``elasticsearch[+https]://[user:password@]host:port[,host:port]/[prefix]``.

    Raises ``ValueError`` with what is wrong, without repeating a password.
    """
    scheme, there, rest = url.partition("://")
    if not there or scheme not in _SCHEMES:
        raise ValueError("it must start with elasticsearch:// or elasticsearch+https://")
    authority, _, path = rest.partition("/")
    credentials, _, hosts = authority.rpartition("@")
    user, _, password = credentials.partition(":")
    prefix = path or DEFAULT_PREFIX
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("its prefix must be lower-case letters, digits, - and _, at most 100 of them")
    return Address(
        nodes=tuple(_node(_SCHEMES[scheme], host) for host in hosts.split(",")),
        user=unquote(user),
        password=unquote(password),
        prefix=prefix,
    )


def _node(scheme: str, host: str) -> str:
    try:
        parts = urlsplit(f"{scheme}://{host}")
        port = parts.port
    except ValueError as error:
        raise ValueError("a node's port must be a number up to 65535") from error
    if not parts.hostname or parts.netloc != host or "@" in host:
        raise ValueError("each node must be host:port")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{scheme}://{name}:{port or 9200}"
