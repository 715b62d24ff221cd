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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from xpress.command_line import one_line_errors
from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.weight_files import encoder_digest
from xpress.media.mouth_crop import mouth_crop
from xpress.media.sources import open_source
from xpress.packs.media_files import media_files
from xpress.preparation.media_packs import (
    SCHEMA,
    crop_columns,
    kept_pack,
    largest_faces,
    names,
    write_rows,
)
from xpress.whole_files import written_beside

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
class PackCounts:
    """What became of the pictures and frames that were looked at."""

    frames: int = 0
    mouths: int = 0
    faceless: int = 0
    small: int = 0
    broken: int = 0
    reason: str = ""

    def __str__(self) -> str:
        text = f"{self.mouths} mouths from {self.frames} pictures"
        if self.faceless:
            text += f"; {self.faceless} without a face or with its mouth beyond the border"
        if self.small:
            text += f"; {self.small} mouths too small"
        return text + (f"; {self.broken} files could not be read to the end" if self.broken else "")


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
    source, settings = Path(source), settings or PackSettings()
    if not source.exists():
        raise InputError(f"{source}: no such file or folder; check the path")
    found = media_files(source)
    root = source if source.is_dir() else source.parent
    counts = PackCounts()
    rows = _rows(found, root, settings, reader or FaceReader.from_pretrained(), counts)
    with written_beside(output) as partial:
        write_rows(partial, rows, SCHEMA)
        if counts.broken == len(found):
            raise InputError(counts.reason)
        if not counts.mouths:
            raise InputError(
                f"{source}: none of its {counts.frames} pictures shows a face with its mouth, at "
                f"least {settings.least_width:g} pixels wide; give others"
            )
    if counts.broken:
        log.warning(
            "%s: %d of %d files broken (%s)", source, counts.broken, len(found), counts.reason
        )
    return counts


def _rows(
    found: Sequence[Path],
    root: Path,
    settings: PackSettings,
    reader: FaceReader,
    counts: PackCounts,
) -> Iterator[dict]:
    """Rows of the pack; counts while it goes on."""
    ends = np.cumsum([file.stat().st_size for file in found]).tolist()
    with tqdm(total=ends[-1], unit="B", unit_scale=True, disable=None, leave=False) as bar:
        for file, end in zip(found, ends, strict=True):
            try:
                opened = open_source(file)
                for number, image, face in largest_faces(opened, reader, settings.every):
                    counts.frames += 1
                    if face is None or not _inside(face, image):
                        counts.faceless += 1
                        continue
                    if np.ptp(face.landmarks68[OUTER, 0]) < settings.least_width:
                        counts.small += 1
                        continue
                    counts.mouths += 1
                    bar.set_postfix(mouths=counts.mouths)
                    yield names(file, root, opened, number) | _cut(image, face, settings.size)
            except InputError as error:
                counts.broken += 1
                counts.reason = counts.reason or str(error)
            bar.update(end - bar.n)


def _inside(face: FaceSample, image: np.ndarray) -> bool:
    """Whether the picture shows the whole mouth."""
    lips = face.landmarks68[OUTER]
    height, width = image.shape[:2]
    return bool((lips >= 0).all() and (lips <= (width - 1, height - 1)).all())


def _cut(image: UInt8[np.ndarray, "H W 3"], face: FaceSample, size: int) -> dict[str, Any]:
    crop = mouth_crop(face.landmarks68[OUTER], PACK_RATIO, size)
    return crop_columns(crop.cut(image), crop, face)


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
