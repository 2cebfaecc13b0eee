"""A writing process for tests to kill: stores batches without end and says what is durable.

``python -m tests.timeline.store.writing_process FOLDER SEED START`` prints the number of
each batch that ``write`` confirmed, one a line.
"""

from __future__ import annotations

import random
import sys

from tests import builders as b
from timeline.domain import Stored
from timeline.store.tantivy import TantivyStore

BATCH = 40


def batch(number: int) -> list[Stored]:
    """The facts of a batch: the same in every process."""
    facts = [b.span(trace=number, number=n, start=b.NOW + number * 1000 + n) for n in range(BATCH)]
    return [b.stored(fact, tie=n, request=f"batch-{number}") for n, fact in enumerate(facts)]


def main() -> None:
    """Write on from batch ``START``, and now and then an old batch again."""
    folder, seed, start = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    random_ = random.Random(seed)
    store = TantivyStore(folder, writable=True)
    store.prepare()
    number = start
    while True:
        store.write(batch(number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        if number and random_.random() < 0.3:
            store.write(batch(random_.randrange(number)))
        number += 1


if __name__ == "__main__":
    main()
