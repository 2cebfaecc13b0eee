"""One target under atheris, which is led by coverage: ``python -m tests.fuzz.guided TARGET [libFuzzer options]``."""

from __future__ import annotations

import os
import sys

import atheris

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

if __name__ == "__main__":
    with atheris.instrument_imports(include=["timeline", "tracing"]):
        import django

        django.setup()
        from tests.fuzz.targets import TARGETS
    attack = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, attack)
    atheris.Fuzz()
