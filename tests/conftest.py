"""What every test may ask for."""

from __future__ import annotations

import os
import tempfile

# before Django reads its settings: tests never touch the data of a running node
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ["THROUGHLINE_DATA_DIR"] = tempfile.mkdtemp(prefix="throughline-test-")
