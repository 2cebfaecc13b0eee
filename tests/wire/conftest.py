"""One flag writes the golden requests anew: ``pytest tests/wire --regenerate``."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known where this folder is asked for by name."""
    parser.addoption("--regenerate", action="store_true", help="write the golden requests anew")
