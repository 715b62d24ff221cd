"""The rows of one file, stretch by stretch: parts of the pack, whole or absent."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, UInt8

from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.face_sample import FaceSample
from xpress.media.crop import Crop
from xpress.media.sources import ImageSource, open_source
from xpress.packs.action_units import UNITS
from xpress.preparation.annotations.lookup import faces_of_file
from xpress.preparation.annotations.mediapipe import read_points
from xpress.preparation.faces.duplicates import perceptual_hash
from xpress.preparation.faces.files import MediaFile
from xpress.preparation.faces.quality import measure
from xpress.preparation.faces.rows import FACE_RATIO, LABELS, encoded, face_columns
from xpress.preparation.faces.settings import PrepareSettings
from xpress.preparation.faces.story import FileStory, SeenTrack
from xpress.preparation.faces.tracks import FaceTracks, FoundFace, faces_of
from xpress.whole_files import written_beside

log = logging.getLogger(__name__)

STRETCH = 150
"""Pictures of a video after which its rows are safe: half a minute, of which every fifth frame is
taken."""
ROWS = 256
"""Rows of a row group: what is held in memory at a time."""
THUMBNAIL = 96
"""Pixels of a rejected face in the report."""
SHOWN_REJECTED = 8
"""Rejected faces of a file that are kept for the report, for each limit."""
HASH, REJECTED = "hash", "rejected"
SCHEMA = LABELS.append(pa.field(HASH, pa.uint64())).append(
    pa.field(REJECTED, pa.list_(pa.string()))
)
_STORY = b"xpress.part"


def part_path(folder: Path, file: MediaFile, stretch: int = 0) -> Path:
    """Where the rows of a stretch of a file are kept."""
    return folder / f"{file.digest}-{stretch:05}.parquet"


def parts_of(folder: Path, file: MediaFile) -> list[Path]:
    """The stretches of a file that are there, in their order."""
    numbers = itertools.count()
    paths = (part_path(folder, file, number) for number in numbers)
    return list(itertools.takewhile(Path.exists, paths))


def is_done(folder: Path, file: MediaFile) -> bool:
    """Whether all of a file is there."""
    parts = parts_of(folder, file)
    return bool(parts) and read_story(parts[-1]).last


def read_story(part: Path) -> FileStory:
    """What became of the stretch of a file."""
    return FileStory.from_json(pq.read_metadata(part).metadata[_STORY])


def write_parts(file: MediaFile, settings: PrepareSettings, folder: Path) -> None:
    """Write what is missing of a file's faces, or the line that says why there are none.

    A video is written stretch after stretch, each whole or absent; begun again, it goes on after
    the last that is there.
    """
    done = parts_of(folder, file)
    before = read_story(done[-1]) if done else None
    number = len(done)
    if before is not None and before.last:
        return
    rows = _rows(file, settings, before)
    last = False
    while not last:
        with (
            written_beside(part_path(folder, file, number)) as partial,
            pq.ParquetWriter(partial, SCHEMA) as writer,
        ):
            group: list[dict[str, Any]] = []
            for row in rows:
                if isinstance(row, FileStory):
                    break
                group.append(row)
                if len(group) == ROWS:
                    writer.write_table(pa.Table.from_pylist(group, SCHEMA))
                    group = []
            if group:
                writer.write_table(pa.Table.from_pylist(group, SCHEMA))
            assert isinstance(row, FileStory)  # every stretch ends with one
            writer.add_key_value_metadata({_STORY: row.to_json()})
            last = row.last
        number += 1


def write_told_part(file: MediaFile, error: str, folder: Path) -> None:
    """Mark a file as one that gives no more rows."""
    path = part_path(folder, file, len(parts_of(folder, file)))
    with written_beside(path) as partial, pq.ParquetWriter(partial, SCHEMA) as writer:
        writer.add_key_value_metadata({_STORY: FileStory(file.name, error=error).to_json()})


@cache
def _reader(weights: str) -> FaceReader:
    return FaceReader.from_pretrained(weights)


def _rows(
    file: MediaFile, settings: PrepareSettings, before: FileStory | None
) -> Iterator[dict[str, Any] | FileStory]:
    """Rows of a file, and after each stretch its story."""
    reader = _reader(settings.weights)
    tracks = FaceTracks(reader)
    story, seen = FileStory(file.name), dict[int, SeenTrack]()

    def ended(last: bool) -> FileStory:
        story.tracks = [track.told(file.name, n) for n, track in sorted(seen.items())]
        story.last, story.state = last, None if last else tracks.state()
        return story

    try:
        opened = open_source(file.path)
        still = isinstance(opened, ImageSource)
        known = faces_of_file(file.path, file.annotations)
        state = (before.until, before.state) if before and before.state else None
        for number, image, found in faces_of(opened, tracks, settings.every, known, state):
            story.frames, story.until = story.frames + 1, number
            story.empty += not found
            if settings.faces == "largest":
                found = sorted(found, key=lambda f: -np.ptp(f.face.landmarks68, axis=0).max())[:1]
            for item in found:
                story.shots = max(story.shots, item.shot + 1)
                seen.setdefault(item.track, SeenTrack()).add(number, item)
                name = file.name if still else f"{file.name}/{number:06}"
                row = _row(image, item, reader, settings, story)
                if row is not None:
                    place = {"source": file.name, "frame": number, "track": item.track}
                    yield row | place | {"key": name if not item.track else f"{name}#{item.track}"}
            if story.frames == STRETCH:
                yield ended(False)
                story, seen = FileStory(file.name), {}
    except InputError as error:
        story.error = str(error).replace(str(file.path), file.name)
    except (cv2.error, ValueError, ArithmeticError, MemoryError) as error:
        log.warning("%s: %s", file.path, error, exc_info=True)
        story.error = f"{file.name}: cannot be used ({type(error).__name__}: {error})"
    yield ended(True)


def _row(
    image: UInt8[np.ndarray, "H W 3"],
    item: FoundFace,
    reader: FaceReader,
    settings: PrepareSettings,
    story: FileStory,
) -> dict[str, Any] | None:
    """The columns of a face; of a rejected one only what the report shows, or None."""
    story.faces += 1
    face, read, origin = _labelled(image, item, reader, settings)
    quality = measure(image, face, reader.extractor, reader.size, read)
    beyond = quality.rejections(settings.limits)
    for name in beyond:
        story.rejected[name] = story.rejected.get(name, 0) + 1
    if beyond:
        if min(story.rejected[name] for name in beyond) > SHOWN_REJECTED:
            return None
        crop = Crop.around(face.landmarks68, FACE_RATIO, THUMBNAIL)
        return {"image": encoded(crop.cut(image)), REJECTED: beyond} | asdict(quality)
    story.kept += 1
    columns = face_columns(image, face.landmarks68, face.contours, settings.size)
    units = reader.action_units(face.expression).astype(np.float32)
    if item.entry is not None and item.entry.units is not None:
        units = item.entry.units.astype(np.float32)
    fingerprint = perceptual_hash(Crop.around(face.landmarks68, FACE_RATIO, 64).cut(image))
    labels = {UNITS: units, "annotation": origin, HASH: fingerprint, REJECTED: []}
    return columns | labels | asdict(quality)


def _labelled(
    image: UInt8[np.ndarray, "H W 3"],
    item: FoundFace,
    reader: FaceReader,
    settings: PrepareSettings,
) -> tuple[FaceSample, Float[np.ndarray, "68 2"] | None, str]:
    """The face with the landmarks that count, what the encoder reads beside, and their origin."""
    face, entry = item.face, item.entry
    if settings.annotations == "mediapipe":
        points = read_points(image, face.landmarks68, settings.annotator)
        if points is not None:
            marked = face.replace(landmarks68=points[0], contours=points[1])
            return marked, face.landmarks68, "mediapipe"
    if settings.refine:
        face = reader.refine(image, [face], settings.refine)[0].face
    if entry is not None and entry.landmarks68 is not None:
        return face.replace(landmarks68=entry.landmarks68), face.landmarks68, entry.format
    return face, None, "encoder"
