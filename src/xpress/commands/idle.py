"""The function behind `infer.py task=idle`: a photograph that lives without a driver."""

from __future__ import annotations

import os
from contextlib import ExitStack

import numpy as np

from xpress.commands.pipeline import Progress
from xpress.commands.reenact import reenact
from xpress.errors import InputError
from xpress.media.sources import DEFAULT_FPS, ImageSource, open_source
from xpress.provenance.provenance import MARKED, Provenance
from xpress.reenactment.reenactor import Reenactor
from xpress.structures import FaceParameters
from xpress.whole_files import scratch_folder

PathLike = str | os.PathLike
LONGEST = 3600.0
"""Seconds."""


def idle(
    target: PathLike,
    output: PathLike,
    seconds: float = 8.0,
    idle: float = 1.0,
    seed: int = 0,
    face: str | int = "largest",
    overwrite: bool = True,
    progress: Progress = True,
    threads: int = 2,
    weights: PathLike | None = None,
    reenactor: Reenactor | None = None,
    provenance: Provenance = MARKED,
) -> None:
    """Let a photograph breathe, blink and sway a little, and write the video.

    Args:
        target: the photograph.
        output: .mp4, .mov or .mkv.
        seconds: length of the video.
        idle: factor on the motion.
        seed: of what is random.
        face: see `reenact`; all faces move alike.
        overwrite: see `reenact`.
        progress: see `reenact`.
        threads: see `reenact`.
        weights: see `reenact`.
        reenactor: see `reenact`.
        provenance: see `reenact`.

    Raises:
        InputError: an input or option is wrong; nothing is written.
    """
    frames = round(float(seconds) * float(DEFAULT_FPS)) if 0 < seconds <= LONGEST else 0
    if frames < 2:
        raise InputError(f"seconds={seconds}: choose from 0.1 to {LONGEST:g}")
    with open_source(target) as opened:
        if not isinstance(opened, ImageSource):
            raise InputError(f"{target}: lives by itself; give a photograph")
    reenactor = reenactor or Reenactor.from_pretrained(weights or "default")
    with ExitStack() as stack:
        scratch = scratch_folder()
        stack.callback(scratch.discard)
        source = scratch.path / "rest.npz"
        fps = np.array([DEFAULT_FPS.numerator, DEFAULT_FPS.denominator])
        FaceParameters.resting(reenactor.model.sizes, frames).save(source, fps=fps)
        reenact(
            source,
            target,
            output,
            strength=0.0,
            face=face,
            overwrite=overwrite,
            progress=progress,
            threads=threads,
            reenactor=reenactor,
            provenance=provenance,
            idle=idle,
            seed=seed,
        )
