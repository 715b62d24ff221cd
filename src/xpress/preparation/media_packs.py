"""What packs made from anybody's videos and pictures share, whatever is cut out of them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import UInt8

from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.tracking import FaceTracker
from xpress.media.crop import Crop
from xpress.media.sources import FrameSource, ImageSource, VideoSource
from xpress.packs.media_files import media_files
from xpress.whole_files import written_beside

QUALITY = 90
"""Of WebP."""
ROWS = 256
"""Rows of a row group: what is held in memory at a time."""
SCHEMA = pa.schema(
    [
        ("image", pa.binary()),
        ("key", pa.string()),
        ("identity", pa.string()),
        ("scale", pa.float64()),
        ("landmarks68", pa.list_(pa.float32())),
        ("contours", pa.list_(pa.float32())),
    ]
)


def kept_pack(
    source: Path, folder: Path, recipe: list, write: Callable[[Path], object], log: logging.Logger
) -> Path:
    """The pack of some media in a folder, written unless that was done before.

    Args:
        source: folder or file of videos and pictures.
        folder: keeps packs; the name of each tells what it was made of: the files' names, sizes
            and times of change, and the recipe.
        recipe: what else the pack depends on, for JSON.
        write: makes the pack at a path and returns what is told of it.
        log: where that is told.
    """
    root = source if source.is_dir() else source.parent
    listed = []
    for file in media_files(source):
        status = file.stat()
        listed.append((file.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns))
    digest = hashlib.sha256(json.dumps([*recipe, listed]).encode()).hexdigest()[:16]
    path = folder / f"{source.stem}-{digest}.parquet"
    if not path.is_file():
        # Two machines may make it at the same time in a folder that they share.
        with written_beside(path) as partial:
            told = write(partial)
        log.info("%s: %s; kept in %s", source, told, path)
    return path


def write_rows(path: Path, rows: Iterable[dict[str, Any]], schema: pa.Schema) -> None:
    """Write rows as they come, a row group at a time."""
    rows = iter(rows)
    with pq.ParquetWriter(path, schema) as writer:
        while group := list(islice(rows, ROWS)):
            writer.write_table(pa.Table.from_pylist(group, schema))


def largest_faces(
    opened: FrameSource, reader: FaceReader, every: int
) -> Iterator[tuple[int, np.ndarray, FaceSample | None]]:
    """The largest face of a picture, or of every n-th frame: number, picture and face."""
    if isinstance(opened, ImageSource):
        try:
            face = reader.find(opened.image, name=opened.name)[0]
        except InputError:
            face = None
        yield 0, opened.image, face
    elif isinstance(opened, VideoSource):
        tracker = FaceTracker(reader.detector, reader.extractor, size=reader.size)
        # The frames between are followed too: a crop that jumps loses the face.
        for number, image in enumerate(opened):
            face = tracker(image)
            if number % every == 0:
                yield number, image, face
    else:
        raise InputError(f"{opened.name}: neither a picture nor a video; give one")


def names(file: Path, root: Path, opened: FrameSource, number: int) -> dict[str, str]:
    """Key and person of a row: a sub-folder is a person with all its files, else each file is."""
    name = file.relative_to(root)
    person = name.parent if name.parent != Path() else name.with_suffix("")
    frame = "" if isinstance(opened, ImageSource) else f"/{number:06}"
    return {"key": f"{name.as_posix()}{frame}", "identity": person.as_posix()}


def crop_columns(
    pixels: UInt8[np.ndarray, "S S 3"], crop: Crop, face: FaceSample
) -> dict[str, Any]:
    """Picture, scale and landmarks of a row."""
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    if not done:
        raise InputError("OpenCV cannot write WebP; install opencv-python-headless")
    return {
        "image": encoded.tobytes(),
        "scale": crop.zoom,
        "landmarks68": crop.to_crop(face.landmarks68).astype(np.float32).ravel(),
        "contours": crop.to_crop(face.contours).astype(np.float32).ravel(),
    }
