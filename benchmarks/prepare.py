"""Faces a second that `python -m xpress.prepare` takes out of videos and pictures.

    python benchmarks/prepare.py [MEDIA …] [--repeats 3] [--processes 2]

Each setting is run in turn, from nothing to the pack with its page; the best of the repeats counts.
"Processor second" counts the time of all processes, which is what one core does alone.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
from common import machine

from xpress.preparation.faces.prepare import Spread, prepare
from xpress.preparation.faces.settings import PrepareSettings

SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "samples"
SETTINGS = {
    "every=5": PrepareSettings(duplicates=True),
    "every=1": PrepareSettings(every=1, duplicates=True),
    "every=5 refine=3": PrepareSettings(refine=3, duplicates=True),
}


def used() -> float:
    """Processor seconds of this process and of those that have ended."""
    whose = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    times = [resource.getrusage(who) for who in whose]
    return sum(t.ru_utime + t.ru_stime for t in times)


def once(media: list[Path], settings: PrepareSettings, processes: int) -> tuple[float, float, int]:
    """Seconds by the clock, processor seconds, and faces."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "faces.parquet"
        clock, processor = time.perf_counter(), used()
        prepare(media, output, settings, Spread(processes), progress=False)
        taken = time.perf_counter() - clock, used() - processor
        return *taken, pq.read_metadata(output).num_rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("media", nargs="*", type=Path, default=[SAMPLES])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    print(machine())
    once(options.media, SETTINGS["every=5"], 1)  # loads networks and compiles kernels
    print("| setting | processes | faces | faces a second | faces a processor second |")
    print("|---|---|---|---|---|")
    for name, settings in SETTINGS.items():
        for processes in sorted({1, options.processes}):
            runs = [once(options.media, settings, processes) for _ in range(options.repeats)]
            clock, processor = (min(run[n] for run in runs) for n in range(2))
            faces = runs[0][2]
            rates = f"{faces / clock:.1f} | {faces / processor:.1f}"
            print(f"| {name} | {processes} | {faces} | {rates} |", flush=True)


if __name__ == "__main__":
    main()
