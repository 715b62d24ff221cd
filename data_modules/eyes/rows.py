"""Single eyes with lids and iris, from eye packs or cut out of packs of faces."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int, Shaped, UInt8

from xpress.errors import InputError
from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX
from xpress.morphable.landmarks.landmark_weights import FIRST_IRIS, LIDS
from xpress.packs import read_records
from xpress.packs.pixels import load_pixels
from xpress.packs.records import decode

COLUMNS = ("image", "lids", "iris", "side", "clip", "identity")
"""Of an eye pack."""
EYE_CROPS = ("right_eye", "left_eye")
"""Columns of packs that have crops of both eyes, each with image, lids and iris."""
ROOM = 1.1
"""What is cut out of a face on each side of an eye's middle, over the eye's width."""


@dataclass(frozen=True)
class EyeRows:
    """Labelled eyes.

    Attributes:
        images: RGB, of any size.
        lids: pixels of the image, 16 points from the outer corner over the upper lid.
        iris: centre and four rim points, pixels of the image.
        left: whether it is the owner's left eye.
        eye: number of the eye; rows of one number are pictures of one eye.
        identity: who owns it.
    """

    images: list[UInt8[np.ndarray, "_ _ 3"]]
    lids: Float[np.ndarray, "N 16 2"]
    iris: Float[np.ndarray, "N 5 2"]
    left: Bool[np.ndarray, " N"]
    eye: Int[np.ndarray, " N"]
    identity: Shaped[np.ndarray, " N"]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def people(self) -> list[str]:
        """Who is shown in each row."""
        return self.identity.tolist()

    def select(self, rows: Int[np.ndarray, " M"]) -> EyeRows:
        """Some of them, in the given order."""
        images = [self.images[row] for row in rows]
        fields = (self.lids, self.iris, self.left, self.eye, self.identity)
        return EyeRows(images, *(field[rows] for field in fields))

    def openings(self) -> Float[np.ndarray, " N"]:
        """Area between the lids (shoelace formula) over the corners' squared distance."""
        x, y = self.lids[..., 0], self.lids[..., 1]
        area = np.abs((x * np.roll(y, -1, 1) - np.roll(x, -1, 1) * y).sum(1)) / 2
        width = np.linalg.norm(self.lids[:, 8] - self.lids[:, 0], axis=1)
        return area / np.maximum(width, 1e-6) ** 2


def read_eyes(path: str | os.PathLike, least_width: float = 14.0) -> EyeRows:
    """Read a pack of eyes or of faces.

    Args:
        path: `.parquet` with `COLUMNS`, faces with crops of their eyes (`EYE_CROPS`), or with
            contours; see `readers.read_records`.
        least_width: of eyes in faces, pixels between their corners; smaller ones are left out.

    Raises:
        InputError: missing, unreadable, or without one usable eye.
    """
    local = Path(path)
    if local.suffix == ".parquet" and local.is_file():
        try:
            names = pq.read_schema(local).names
            if "lids" in names:
                return _eye_pack(local)
            if all(crop in names for crop in EYE_CROPS):
                return _eye_crops(local, least_width)
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"{path}: not a Parquet file that can be read ({error})") from error
    return _eyes_of_faces(path, least_width)


def _eye_pack(path: Path) -> EyeRows:
    names = pq.read_schema(path).names
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}; an eye pack has them")
    table = pq.read_table(path, columns=list(COLUMNS)).to_pydict()
    if not table["image"]:
        raise InputError(f"{path}: holds no rows")
    left = np.array([side == "L" for side in table["side"]])
    eyes = [f"{clip}/{side}" for clip, side in zip(table["clip"], left, strict=True)]
    return EyeRows(
        [decode(image) for image in table["image"]],
        np.array(table["lids"], np.float32).reshape(-1, 16, 2),
        np.array(table["iris"], np.float32).reshape(-1, 5, 2),
        left,
        np.unique(eyes, return_inverse=True)[1],
        np.array(table["identity"]),
    )


def _eye_crops(path: Path, least_width: float) -> EyeRows:
    table = pq.read_table(path, columns=["identity", *EYE_CROPS]).to_pylist()
    found = [
        (row["identity"] or "", side, row[name], np.reshape(row[name]["lids"], (16, 2)))
        for row in table
        for side, name in enumerate(EYE_CROPS)
        if row[name] is not None
    ]
    found = [item for item in found if np.linalg.norm(item[3][8] - item[3][0]) >= least_width]
    if not found:
        raise InputError(f"{path}: no eye of {least_width:g} pixels or more; give larger faces")
    people, sides, crops, lids = zip(*found, strict=True)
    eyes = [f"{who}/{side}" for who, side in zip(people, sides, strict=True)]
    return EyeRows(
        [decode(crop["image"]) for crop in crops],
        np.stack(lids).astype(np.float32),
        np.array([crop["iris"] for crop in crops], np.float32).reshape(-1, 5, 2),
        np.array(sides) == 1,
        np.unique(eyes, return_inverse=True)[1],
        np.array(people),
    )


def _eyes_of_faces(path: str | os.PathLike, least_width: float) -> EyeRows:
    records = read_records(path)
    records = records.select(np.flatnonzero(records.has_contours))
    if not len(records):
        raise InputError(f"{path}: no face with contours of the lids; add some")
    records, pixels = load_pixels(records, "encoded")
    where = {int(point): row for row, point in enumerate(CONTOUR_MEDIAPIPE_INDEX)}
    images: list[np.ndarray] = []
    kept: list[tuple] = []
    for row in range(len(records)):
        image = pixels[row]
        for side in range(2):
            points = [where[p] for p in LIDS[16 * side : 16 * side + 16]]
            irises = [where[FIRST_IRIS + 5 * side + n] for n in range(5)]
            lids, iris = records.contours[row, points], records.contours[row, irises]
            width = float(np.linalg.norm(lids[8] - lids[0]))
            corner = np.floor((lids[0] + lids[8]) / 2 - ROOM * width).astype(int)
            stop = corner + int(2 * ROOM * width) + 2
            outside = (corner < 0).any() or (stop > image.shape[1::-1]).any()
            if width < least_width or outside:
                continue
            images.append(image[corner[1] : stop[1], corner[0] : stop[0]].copy())
            eye = f"{records.identities[row]}/{side}"
            kept.append((lids - corner, iris - corner, side == 1, eye, records.identities[row]))
    if not kept:
        raise InputError(f"{path}: no eye of {least_width:g} pixels or more; give larger faces")
    all_lids, all_iris, left, eyes, people = zip(*kept, strict=True)
    return EyeRows(
        images,
        np.stack(all_lids).astype(np.float32),
        np.stack(all_iris).astype(np.float32),
        np.array(left),
        np.unique(eyes, return_inverse=True)[1],
        np.array(people),
    )


def joined(parts: list[EyeRows]) -> EyeRows:
    """All rows of several packs; their eyes stay apart."""
    offsets = np.cumsum([0, *(int(p.eye.max()) + 1 for p in parts)])
    return EyeRows(
        [image for part in parts for image in part.images],
        np.concatenate([p.lids for p in parts]),
        np.concatenate([p.iris for p in parts]),
        np.concatenate([p.left for p in parts]),
        np.concatenate([p.eye + start for p, start in zip(parts, offsets, strict=False)]),
        np.concatenate([p.identity for p in parts]),
    )
