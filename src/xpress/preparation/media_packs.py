"""What packs made from anybody's videos and pictures share, whatever is cut out of them."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import UInt8
from tqdm import tqdm

from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.tracking import FaceTracker
from xpress.media.crop import Crop
from xpress.media.sources import FrameSource, ImageSource, VideoSource, open_source
from xpress.packs.media_files import media_files
from xpress.whole_files import written_beside

log = logging.getLogger(__name__)

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


@dataclass
class MediaCounts:
    """What became of the pictures and frames that were looked at.

    Attributes:
        frames: how many there were.
        kept: rows of the pack.
        broken: files that could not be read to the end.
        reason: why the first of them could not.
    """

    frames: int = 0
    kept: int = 0
    broken: int = 0
    reason: str = ""

    def told(self, text: str) -> str:
        """With the broken files, if there are any."""
        return text + (f"; {self.broken} files could not be read to the end" if self.broken else "")


Cut = Callable[[UInt8[np.ndarray, "H W 3"], FaceSample | None, FaceReader], dict[str, Any] | None]
"""The columns of a picture's largest face; None leaves it out."""


def write_media_pack(
    source: Path,
    output: str | os.PathLike,
    schema: pa.Schema,
    every: int,
    reader: Callable[[], FaceReader],
    cut: Cut,
    counts: MediaCounts,
    wanted: str,
) -> None:
    """Write what is cut out of each picture and of every n-th frame as a Parquet pack.

    Args:
        source: folder, searched recursively, or one file.
        output: `.parquet`; it appears only when it is complete.
        schema: of the columns of `names` and of `cut`.
        every: each how manieth frame of a video is taken.
        reader: makes what finds the faces.
        cut: what is stored of a picture.
        counts: counts while it goes on.
        wanted: what pictures have to show, for messages.

    Raises:
        InputError: no such folder, nothing in it shows what is wanted, or the output cannot be
            written.
    """
    if not source.exists():
        raise InputError(f"{source}: no such file or folder; check the path")
    found = media_files(source)
    root = source if source.is_dir() else source.parent
    with written_beside(output) as partial:
        rows = iter(_rows(found, root, every, reader(), cut, counts))
        with pq.ParquetWriter(partial, schema) as writer:
            while group := list(islice(rows, ROWS)):
                writer.write_table(pa.Table.from_pylist(group, schema))
        if counts.broken == len(found):
            raise InputError(counts.reason)
        if not counts.kept:
            raise InputError(f"{source}: none of its {counts.frames} pictures shows {wanted}")
    if counts.broken:
        files = counts.broken, len(found)
        log.warning("%s: %d of %d files broken (%s)", source, *files, counts.reason)


def _rows(
    found: Sequence[Path],
    root: Path,
    every: int,
    reader: FaceReader,
    cut: Cut,
    counts: MediaCounts,
) -> Iterator[dict[str, Any]]:
    ends = np.cumsum([file.stat().st_size for file in found]).tolist()
    with tqdm(total=ends[-1], unit="B", unit_scale=True, disable=None, leave=False) as bar:
        for file, end in zip(found, ends, strict=True):
            try:
                opened = open_source(file)
                for number, image, face in largest_faces(opened, reader, every):
                    counts.frames += 1
                    columns = cut(image, face, reader)
                    if columns is not None:
                        counts.kept += 1
                        yield names(file, root, opened, number) | columns
            except InputError as error:
                counts.broken += 1
                counts.reason = counts.reason or str(error)
            bar.update(end - bar.n)


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
