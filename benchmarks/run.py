"""``make bench``: every figure once, as a figure and as a ratio to the floor of the same run."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import questions, store, way_in

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure, print, and write one result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=300_000, help="spans sent through the front door")
    parser.add_argument("--facts", type=int, default=3_000_000, help="facts that the questions are asked of")
    options = parser.parse_args()
    began = time.time()
    figures: dict[str, Any] = {"machine": machine()}
    figures["floor"] = store.floor(options.spans)
    print(
        f"floor: raw tantivy indexing of the same documents  {figures['floor']['per_second']:>9,} /s",
        flush=True,
    )
    figures["way_in"] = shown("way in", way_in.measure(options.spans))
    ratio = figures["way_in"]["spans_per_second"] / figures["floor"]["per_second"]
    figures["way_in"]["ratio_to_floor"] = round(ratio, 3)
    print(f"  end to end / floor = {ratio:.2f}", flush=True)
    figures["questions"] = shown("questions", questions.measure(options.facts))
    figures["seconds"] = round(time.time() - began)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}.json"
    file.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"\nwritten to benchmarks/results/{file.name}")


def shown(title: str, figures: dict[str, Any]) -> dict[str, Any]:
    """The figures, printed."""
    print(f"\n{title}")
    for name, value in figures.items():
        print(f"  {name:<32} {value}")
    print(flush=True)
    return figures


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "arch": platform.machine(),
    }


if __name__ == "__main__":
    main()
