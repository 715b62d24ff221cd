"""A pack of face crops from anybody's videos and pictures, with action units."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import UInt8

from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.weight_files import encoder_digest
from xpress.media.crop import Crop
from xpress.packs.action_units import UNITS
from xpress.packs.pixels import is_color
from xpress.preparation.media_packs import (
    SCHEMA,
    MediaCounts,
    crop_columns,
    kept_pack,
    write_media_pack,
)

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
class FacePackCounts(MediaCounts):
    """What became of the pictures and frames that were looked at."""

    def __str__(self) -> str:
        text = f"{self.kept} faces from {self.frames} pictures"
        without = self.frames - self.kept
        return self.told(text + (f"; {without} without a face" if without else ""))


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
    settings, counts = settings or FacePackSettings(), FacePackCounts()

    def cut(
        image: UInt8[np.ndarray, "H W 3"], face: FaceSample | None, reader: FaceReader
    ) -> dict[str, Any] | None:
        if face is None:
            return None
        crop = Crop.around(face.landmarks68, RATIO, settings.size)
        pixels = crop.cut(image)
        return crop_columns(pixels, crop, face) | {
            "color": is_color(pixels),
            UNITS: reader.action_units(face.expression).astype(np.float32),
        }

    make = partial(FaceReader.from_pretrained, settings.weights)
    given = make if reader is None else lambda: reader
    write_media_pack(Path(source), output, COLUMNS, settings.every, given, cut, counts, "a face")
    return counts
