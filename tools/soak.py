"""Mixed work for a long time in one process: its memory has to stay flat.

    python tools/soak.py --minutes 30

Rounds of videos and photographs are moved, edited, interpolated and read, with and without marks,
broken inputs are refused, and every tenth round loads the networks anew. Prints the resident memory
after each round, without that of files, which the system takes back as it likes, and ends with
status 1 if it grew by more than `--megabytes` after the first fifth of the time. Linux.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import fields
from importlib.resources import files
from io import StringIO
from pathlib import Path

import numpy as np

from xpress.commands.edit import edit
from xpress.commands.extract import extract
from xpress.commands.interpolate import interpolate
from xpress.commands.reenact import reenact
from xpress.editing.expression_editor import ExpressionEditor
from xpress.errors import InputError
from xpress.media.images import write_image
from xpress.provenance.provenance import Provenance
from xpress.reenactment.reenactor import Reenactor
from xpress.structures import FaceParameters

FRAMES = 40
"""Of the demo's recording that a video is made of."""


def rounds(folder: Path) -> Iterator[int]:
    """Do one round of work after the other, for ever; yields how many jobs each had."""
    assets = Path(str(files("xpress") / "assets" / "demo"))
    target, recording = assets / "target.jpg", folder / "recording.npz"
    whole = FaceParameters.load(assets / "performance.npz")
    some = {f.name: getattr(whole, f.name)[15 : 15 + FRAMES] for f in fields(whole)}
    FaceParameters(**some).save(recording, fps=np.array([25, 1]))
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    write_image(folder / "noise.png", noise)
    (folder / "broken.mp4").write_bytes(b"broken" * 1000)
    clip, quiet, marked = folder / "clip.mp4", {"progress": False}, Provenance(watermark=True)
    for number in itertools.count():
        if number % 10 == 0:
            reenactor, editor = Reenactor.from_pretrained(), ExpressionEditor.from_pretrained()
        smile = {"AU12": 0.1 * (number % 10) + 0.05}
        reenact(recording, target, clip, reenactor=reenactor, provenance=marked, **quiet)
        reenact(clip, clip, folder / "twice.mkv", reenactor=reenactor, face="all", **quiet)
        reenact(target, target, folder / "photo.png", reenactor=reenactor, **quiet)
        edit(clip, folder / "edited.mov", smile, loaded=editor, **quiet)
        edit(target, folder / "edited.jpg", smile, loaded=editor, provenance=marked, **quiet)
        extract(clip, folder / "read", reader=reenactor, **quiet)
        extract(target, folder / "refined", reader=reenactor, refine=1, **quiet)
        interpolate(target, target, folder / "steps.webp", loaded=editor, **quiet)
        for wrong in ("noise.png", "broken.mp4"):
            with suppress(InputError):
                reenact(recording, folder / wrong, folder / "none.mp4", reenactor=reenactor)
                raise AssertionError(f"{wrong} was taken")
        yield 10


def resident() -> float:
    """Resident memory of this process that is no file's, in MB."""
    status = Path("/proc/self/status").read_text().splitlines()
    kilobytes = dict(line.split(":") for line in status)["RssAnon"].split()[0]
    return int(kilobytes) / 2**10


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--megabytes", type=float, default=20)
    options = parser.parse_args()
    begun, jobs = time.monotonic(), 0
    seen: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        work = rounds(Path(folder))
        while not seen or seen[-1][0] < options.minutes:
            with redirect_stdout(StringIO()):
                jobs += next(work)
            gc.collect()
            seen.append(((time.monotonic() - begun) / 60, resident()))
            print(f"{seen[-1][0]:5.1f} min, {jobs} jobs, {seen[-1][1]:.0f} MB", flush=True)
    settled = [memory for minute, memory in seen if minute >= options.minutes / 5]
    grown = max(settled) - settled[0]
    print(f"grew by {grown:.0f} MB after the first fifth of {options.minutes:g} minutes")
    sys.exit(grown > options.megabytes)


if __name__ == "__main__":
    main()
