"""Failing asserts of the kit say what they compared."""

import pytest

pytest.register_assert_rewrite("tests.tracing.kit")
