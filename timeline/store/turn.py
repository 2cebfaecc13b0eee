"""Whose turn it is to work through facts."""

import threading
from typing import Final

TURN: Final = threading.Lock()
"""Held while a batch is decoded, or made ready to be stored. Python runs one thread at a time, and
a thread that lets go of it for each fact it compresses waits for it again each time: batches that
take turns end sooner than batches that compete, and overlap where they wait for a disk or a network."""
