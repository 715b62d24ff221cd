"""The function behind `infer.py task=demo`."""

from __future__ import annotations

import os
from importlib.resources import as_file, files
from itertools import islice

from xpress.commands.overlay import contact_sheet
from xpress.commands.reenact import reenact
from xpress.media.images import read_image, write_image
from xpress.media.video import VideoReader
from xpress.provenance.provenance import MARKED, Provenance
from xpress.reenactment.reenactor import Reenactor
from xpress.whole_files import local_path

PathLike = str | os.PathLike


def demo(
    output: PathLike = "demo_output",
    mouth: str = "generator",
    weights: PathLike | None = None,
    reenactor: Reenactor | None = None,
    provenance: Provenance = MARKED,
) -> None:
    """Move the photograph in the package with the performance in it, and a little by itself.

    Writes `demo.mp4` and `contact_sheet.png` into the folder and prints where they are.

    Args:
        output: the folder.
        mouth: see `reenact`.
        weights: see `reenact`.
        reenactor: see `reenact`.
        provenance: how video and sheet are marked.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = local_path(output)
    video, sheet = folder / "demo.mp4", folder / "contact_sheet.png"
    with as_file(files("xpress") / "assets" / "demo") as assets:
        source, target = assets / "performance.npz", assets / "target.jpg"
        reenact(
            source,
            target,
            video,
            mouth=mouth,
            weights=weights,
            reenactor=reenactor,
            provenance=provenance,
            idle=1.0,
        )
        reader = VideoReader(video)
        every = max((reader.frame_count or 1) // 24, 1)
        frames = [read_image(target), *islice(reader, every // 2, None, every)]
        label = provenance.label(parent=target)
        write_image(sheet, contact_sheet(frames[:24]), label)
    print(f"video: {video.resolve()}\ncontact sheet: {sheet.resolve()}")
