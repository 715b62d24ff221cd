"""Frames a second from file to file, time of each stage, and memory against length.

    python benchmarks/frame_loop.py [--source clip.mp4 --target portrait.jpg] [--long 3000]

The source is looped to 100 and to `--long` frames, each run in a process of its own, and their
largest resident memory is compared. `--long 0` leaves that out.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from common import machine

from xpress.commands.reenact import reenact
from xpress.errors import InputError
from xpress.media.video import VideoReader, VideoWriter
from xpress.reenactment.reenactor import Reenactor

SHORT = 100
BOUND = 150
"""MB by which the long run may need more."""


def looped(source: Path, output: Path, count: int) -> None:
    """The source's pictures again and again, without sound."""
    reader = VideoReader(source)
    written = 0
    with VideoWriter(output, reader.fps, reader.size, preset="ultrafast") as writer:
        while written < count:
            for frame in reader:
                writer.write(frame)
                written += 1
                if written == count:
                    break


def measured(source: Path, target: Path, output: Path, weights: str) -> float:
    """Run once in a fresh process; returns its peak of resident memory in MB."""
    command = [sys.executable, __file__, "--once", str(source), str(target), str(output)]
    command.append(str(weights))
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    summary, peak = done.stdout.strip().splitlines()[-2:]
    print(f"  {summary}")
    return float(peak)


def once(source: str, target: str, output: str, weights: str) -> None:
    reenactor = Reenactor.from_pretrained(weights)
    reenact(source, target, output, progress=False, reenactor=reenactor)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    samples = Path(__file__).resolve().parents[2] / "shared/data/samples"
    parser.add_argument("--source", type=Path, default=samples / "talking_man.mp4")
    parser.add_argument("--target", type=Path, default=samples / "portrait_woman.jpg")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--long", type=int, default=3000)
    parser.add_argument("--once", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        once(*options.once)
        return
    print(machine())
    if not options.source.exists():
        print(f"{options.source}: no such clip; give --source and --target")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            reenactor = Reenactor.from_pretrained(options.weights)
            for _ in range(2):  # the first run also compiles and fills caches
                reenact(
                    options.source,
                    options.target,
                    folder / "out.mp4",
                    progress=False,
                    reenactor=reenactor,
                )
        except InputError as error:
            print(error)
            return
        if not options.long:
            return
        peaks = []
        for count in (SHORT, options.long):
            clip = folder / f"{count}.mp4"
            looped(options.source, clip, count)
            peaks.append(measured(clip, options.target, folder / "out.mp4", options.weights))
        grown = peaks[1] - peaks[0]
        print(
            f"peak memory {peaks[0]:.0f} MB at {SHORT} frames, {peaks[1]:.0f} MB at "
            f"{options.long}: {grown:+.0f} MB (bound {BOUND} MB)"
        )


if __name__ == "__main__":
    main()
