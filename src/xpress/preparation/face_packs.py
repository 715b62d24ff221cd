"""A pack of face crops from anybody's videos and pictures, with action units."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import UInt8
from tqdm import tqdm

from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.weight_files import encoder_digest
from xpress.media.crop import Crop
from xpress.media.sources import open_source
from xpress.morphable.action_units import ActionUnits
from xpress.packs.action_units import UNITS
from xpress.packs.media_files import media_files
from xpress.packs.pixels import is_color
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

RATIO = 1.7
"""Side of a stored crop over the landmarks' box: room for shifted and turned crops."""
COLUMNS = SCHEMA.append(pa.field("color", pa.bool_())).append(
    pa.field(UNITS, pa.list_(pa.float32()))
)
VERSION = 2
"""Changed when the same settings make another pack."""


@dataclass(frozen=True)
class FacePackSettings:
    """What a pack depends on besides the files.

    Attributes:
        every: each how manieth frame of a video is taken.
        size: pixels of the stored crop's side.
        weights: of the encoder that finds and reads the faces, see `load_pretrained`.
    """

    every: int = 5
    size: int = 192
    weights: str = "default"

    def __post_init__(self) -> None:
        if self.every < 1 or self.size < 64:
            raise InputError("face pack: give every=1 or more and a size of at least 64 pixels")


@dataclass
class FacePackCounts:
    """What became of the pictures and frames that were looked at."""

    frames: int = 0
    labelled: int = 0
    broken: int = 0
    reason: str = ""

    def __str__(self) -> str:
        text = f"{self.labelled} faces from {self.frames} pictures"
        if self.frames > self.labelled:
            text += f"; {self.frames - self.labelled} without a face"
        return text + (f"; {self.broken} files could not be read to the end" if self.broken else "")


def made_face_pack(
    source: str | os.PathLike, folder: str | os.PathLike, settings: FacePackSettings
) -> Path:
    """The pack of a folder of faces, made unless that was done before.

    Args:
        source: folder or file.
        folder: keeps the packs; the name of each tells what it was made of, the encoder's hash
            among it.
        settings: of the pack.

    Raises:
        InputError: see `write_face_pack`.
    """
    source = Path(source)

    def write(path: Path) -> FacePackCounts:
        return write_face_pack(source, path, settings)

    recipe = [VERSION, asdict(settings), encoder_digest(settings.weights)]
    return kept_pack(source, Path(folder), recipe, write, log)


def write_face_pack(
    source: str | os.PathLike,
    output: str | os.PathLike,
    settings: FacePackSettings | None = None,
    reader: FaceReader | None = None,
) -> FacePackCounts:
    """Write the largest face of each picture and of every n-th frame as a Parquet pack.

    Args:
        source: folder, searched recursively, or one file.
        output: `.parquet`; it appears only when it is complete.
        settings: of the pack.
        reader: finds and reads the faces; the one of `settings.weights` by default.

    Raises:
        InputError: no such folder, nothing in it shows a face, or the output cannot be written.
    """
    source, settings = Path(source), settings or FacePackSettings()
    if not source.exists():
        raise InputError(f"{source}: no such file or folder; check the path")
    found = media_files(source)
    root = source if source.is_dir() else source.parent
    reader = reader or FaceReader.from_pretrained(settings.weights)
    counts = FacePackCounts()
    rows = _rows(found, root, settings, reader, counts)
    with written_beside(output) as partial:
        write_rows(partial, rows, COLUMNS)
        if counts.broken == len(found):
            raise InputError(counts.reason)
        if not counts.labelled:
            raise InputError(f"{source}: none of its {counts.frames} pictures shows a face")
    if counts.broken:
        files = counts.broken, len(found)
        log.warning("%s: %d of %d files broken (%s)", source, *files, counts.reason)
    return counts


def _rows(
    found: Sequence[Path],
    root: Path,
    settings: FacePackSettings,
    reader: FaceReader,
    counts: FacePackCounts,
) -> Iterator[dict[str, Any]]:
    """Rows of the pack; counts while it goes on."""
    for file in tqdm(found, unit="file", disable=None, leave=False):
        try:
            opened = open_source(file)
            for number, image, face in largest_faces(opened, reader, settings.every):
                counts.frames += 1
                if face is not None:
                    counts.labelled += 1
                    cut = _cut(image, face, settings.size, reader.action_units)
                    yield names(file, root, opened, number) | cut
        except InputError as error:
            counts.broken += 1
            counts.reason = counts.reason or str(error)


def _cut(
    image: UInt8[np.ndarray, "H W 3"], face: FaceSample, size: int, action_units: ActionUnits
) -> dict[str, Any]:
    crop = Crop.around(face.landmarks68, RATIO, size)
    pixels = crop.cut(image)
    return crop_columns(pixels, crop, face) | {
        "color": is_color(pixels),
        UNITS: action_units(face.expression).astype(np.float32),
    }
