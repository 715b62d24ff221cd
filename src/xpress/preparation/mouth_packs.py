"""A pack of mouth crops from anybody's videos and pictures of faces.

    python -m xpress.preparation.mouth_packs FOLDER --output pack.parquet [--every 5] [--size 128] \
        [--least-width 20]

The package's own extractor finds the largest face of each picture and of every n-th frame; what
lies around the lips is cut out and stored with the face's landmarks and contours in its pixels.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from xpress.command_line import one_line_errors
from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.weight_files import encoder_digest
from xpress.media.mouth_crop import mouth_crop
from xpress.preparation.media_packs import (
    SCHEMA,
    MediaCounts,
    crop_columns,
    kept_pack,
    write_media_pack,
)

log = logging.getLogger(__name__)

PACK_RATIO = 2.0
"""Side of a stored crop over the width of the lips: room for shifted and turned crops."""
OUTER = slice(48, 60)
"""The outer lips among the 68 landmarks."""
VERSION = 2
"""Changed when the same settings make another pack."""


@dataclass(frozen=True)
class PackSettings:
    """What a pack depends on besides the files.

    Attributes:
        every: each how manieth frame of a video is taken.
        size: pixels of the stored crop's side.
        least_width: of the lips, pixels of the picture; smaller mouths are left out.
    """

    every: int = 5
    size: int = 128
    least_width: float = 20.0

    def __post_init__(self) -> None:
        if self.every < 1 or self.size < 64:
            raise InputError("mouth pack: give every=1 or more and a size of at least 64 pixels")


@dataclass
class PackCounts(MediaCounts):
    """What became of the pictures and frames that were looked at."""

    faceless: int = 0
    small: int = 0

    def __str__(self) -> str:
        text = f"{self.kept} mouths from {self.frames} pictures"
        if self.faceless:
            text += f"; {self.faceless} without a face or with its mouth beyond the border"
        if self.small:
            text += f"; {self.small} mouths too small"
        return self.told(text)


def made_pack(
    source: str | os.PathLike,
    folder: str | os.PathLike,
    settings: PackSettings | None = None,
    reader: FaceReader | None = None,
) -> Path:
    """The pack of a folder of faces, made unless that was done before.

    Args:
        source: folder or file.
        folder: keeps the packs; the name of each tells what it was made of: the files' names,
            sizes and times of change, the settings and the extractor.
        settings: of the pack.
        reader: finds the faces; the package's by default.

    Raises:
        InputError: see `write_pack`.
    """
    settings = settings or PackSettings()
    source = Path(source)
    recipe = [VERSION, asdict(settings), encoder_digest()]

    def write(path: Path) -> PackCounts:
        return write_pack(source, path, settings, reader)

    return kept_pack(source, Path(folder), recipe, write, log)


def write_pack(
    source: str | os.PathLike,
    output: str | os.PathLike,
    settings: PackSettings | None = None,
    reader: FaceReader | None = None,
) -> PackCounts:
    """Write the mouths of videos and pictures as a Parquet pack.

    People are told apart by the path of the video, or by the sub-folder of the picture; pictures
    that lie in no sub-folder count as people of their own.

    Args:
        source: folder, searched recursively, or one file.
        output: `.parquet`; it appears only when it is complete.
        settings: of the pack.
        reader: finds the faces; the package's by default.

    Raises:
        InputError: no such folder, nothing in it shows a face, or the output cannot be written.
    """
    settings, counts = settings or PackSettings(), PackCounts()

    def cut(
        image: UInt8[np.ndarray, "H W 3"], face: FaceSample | None, reader: FaceReader
    ) -> dict[str, Any] | None:
        if face is None or not _inside(face, image):
            counts.faceless += 1
            return None
        lips = face.landmarks68[OUTER]
        if np.ptp(lips[:, 0]) < settings.least_width:
            counts.small += 1
            return None
        crop = mouth_crop(lips, PACK_RATIO, settings.size)
        return crop_columns(crop.cut(image), crop, face)

    wanted = f"a face with its mouth, at least {settings.least_width:g} pixels wide; give others"
    made = FaceReader.from_pretrained if reader is None else lambda: reader
    write_media_pack(Path(source), output, SCHEMA, settings.every, made, cut, counts, wanted)
    return counts


def _inside(face: FaceSample, image: np.ndarray) -> bool:
    """Whether the picture shows the whole mouth."""
    lips = face.landmarks68[OUTER]
    height, width = image.shape[:2]
    return bool((lips >= 0).all() and (lips <= (width - 1, height - 1)).all())


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, metavar="FOLDER", help="or a single video")
    parser.add_argument("--output", type=Path, required=True, help="a .parquet file")
    parser.add_argument("--every", type=int, default=PackSettings.every, help="n-th frames")
    parser.add_argument("--size", type=int, default=PackSettings.size, help="pixels of a side")
    parser.add_argument(
        "--least-width", type=float, default=PackSettings.least_width, help="pixels of the lips"
    )
    options = parser.parse_args(arguments)
    settings = PackSettings(options.every, options.size, options.least_width)
    counts = write_pack(options.source, options.output, settings)
    print(f"{options.output}: {counts}")


if __name__ == "__main__":
    main()
