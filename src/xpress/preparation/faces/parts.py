"""The rows of one file, and what is told of it: a part of the pack, whole or absent."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
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
from xpress.preparation.faces.identities import Track
from xpress.preparation.faces.quality import measure
from xpress.preparation.faces.rows import FACE_RATIO, LABELS, appearance, encoded, face_columns
from xpress.preparation.faces.settings import PrepareSettings
from xpress.preparation.faces.tracks import FoundFace, faces_of
from xpress.whole_files import written_beside

log = logging.getLogger(__name__)

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


@dataclass
class FileStory:
    """What became of a file.

    Attributes:
        name: see `MediaFile.name`.
        frames: pictures that were looked at.
        empty: those of them without a face.
        shots: of a video.
        faces: that were found.
        kept: of these, the ones within the limits.
        rejected: how many each limit is against, by its name.
        tracks: of the file.
        error: why it could not be read to the end.
    """

    name: str
    frames: int = 0
    empty: int = 0
    shots: int = 0
    faces: int = 0
    kept: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    tracks: list[Track] = field(default_factory=list)
    error: str = ""

    def told(self) -> str:
        """A line about the file."""
        if self.error and not self.frames:
            return self.error
        line = f"{self.kept} of {self.faces} faces in {self.frames} pictures"
        if self.empty == self.frames:
            line = f"no face in {self.frames} pictures"
        elif self.rejected:
            each = ", ".join(f"{name} {n}" for name, n in sorted(self.rejected.items()))
            line += f" (against the others: {each})"
        return f"{line}; {self.error}" if self.error else line

    def to_json(self) -> str:
        """For the part's metadata."""
        content = asdict(self)
        for track in content["tracks"]:
            track["appearance"] = [round(float(v), 4) for v in track["appearance"]]
        return json.dumps(content)

    @staticmethod
    def from_json(text: str | bytes) -> FileStory:
        """As `to_json` wrote it."""
        content = json.loads(text)
        content["tracks"] = [
            Track(**{**track, "appearance": np.array(track["appearance"], np.float32)})
            for track in content["tracks"]
        ]
        return FileStory(**content)


def part_path(folder: Path, file: MediaFile) -> Path:
    """Where the part of a file is kept."""
    return folder / f"{file.digest}.parquet"


def read_story(part: Path) -> FileStory:
    """What became of the file of a part."""
    return FileStory.from_json(pq.read_metadata(part).metadata[_STORY])


def write_part(file: MediaFile, settings: PrepareSettings, folder: Path) -> None:
    """Write the part of a file, with its faces or with the line that says why there are none."""
    story = FileStory(file.name)
    with written_beside(part_path(folder, file)) as partial, pq.ParquetWriter(partial, SCHEMA) as w:
        group: list[dict[str, Any]] = []
        for row in _rows(file, settings, story):
            group.append(row)
            if len(group) == ROWS:
                w.write_table(pa.Table.from_pylist(group, SCHEMA))
                group = []
        if group:
            w.write_table(pa.Table.from_pylist(group, SCHEMA))
        w.add_key_value_metadata({_STORY: story.to_json()})


def write_told_part(file: MediaFile, error: str, folder: Path) -> None:
    """The part of a file that gives no rows."""
    with written_beside(part_path(folder, file)) as partial, pq.ParquetWriter(partial, SCHEMA) as w:
        w.add_key_value_metadata({_STORY: FileStory(file.name, error=error).to_json()})


@cache
def _reader(weights: str) -> FaceReader:
    return FaceReader.from_pretrained(weights)


def _rows(file: MediaFile, settings: PrepareSettings, story: FileStory) -> Iterator[dict[str, Any]]:
    reader = _reader(settings.weights)
    seen: dict[int, _SeenTrack] = {}
    try:
        opened = open_source(file.path)
        still = isinstance(opened, ImageSource)
        known = faces_of_file(file.path, file.annotations)
        for number, image, found in faces_of(opened, reader, settings.every, known):
            story.frames += 1
            story.empty += not found
            if settings.faces == "largest":
                found = sorted(found, key=lambda f: -np.ptp(f.face.landmarks68, axis=0).max())[:1]
            for item in found:
                story.shots = max(story.shots, item.shot + 1)
                seen.setdefault(item.track, _SeenTrack()).add(number, item)
                name = file.name if still else f"{file.name}/{number:06}"
                row = _row(image, item, reader, settings, story)
                if row is not None:
                    place = {"source": file.name, "frame": number, "track": item.track}
                    yield row | place | {"key": name if not item.track else f"{name}#{item.track}"}
    except InputError as error:
        story.error = str(error).replace(str(file.path), file.name)
    except (cv2.error, ValueError, ArithmeticError, MemoryError) as error:
        log.warning("%s: %s", file.path, error, exc_info=True)
        story.error = f"{file.name}: cannot be used ({type(error).__name__}: {error})"
    story.tracks = [track.told(file.name, number) for number, track in sorted(seen.items())]


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


class _SeenTrack:
    """Sums over the frames of a track."""

    def __init__(self) -> None:
        self.first = self.last = -1
        self.weight, self.count, self.person = 0.0, 0, ""
        self.appearance: Float[np.ndarray, " K"] | float = 0.0

    def add(self, number: int, item: FoundFace) -> None:
        face = item.face
        if not self.count:
            self.first = number
            self.person = item.entry.person if item.entry else ""
        self.last, self.count = number, self.count + 1
        self.weight += float(np.ptp(face.landmarks68, axis=0).prod())
        self.appearance = self.appearance + appearance(face)

    def told(self, file: str, number: int) -> Track:
        mean = np.round(np.asarray(self.appearance, np.float64) / self.count, 4)
        return Track(
            file,
            number,
            self.first,
            self.last,
            round(self.weight, 1),
            mean.astype(np.float32),
            self.person,
        )
