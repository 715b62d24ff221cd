"""What every reader returns: labelled pictures, still encoded."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int8

from xpress.errors import InputError

log = logging.getLogger(__name__)

CONTOUR_POINTS = 138


@dataclass(frozen=True)
class FaceRecords:
    """Labelled faces of one source.

    Attributes:
        name: of the source (the file's stem); prefixes the keys of fitted parameters.
        images: encoded pictures, or the files that hold them; empty where they were never encoded.
        keys: one name a row.
        identities: one name a person, "" where unknown.
        color: 1 colour, 0 grey, -1 unknown until decoded.
        landmarks68: iBUG-68 points in pixels of the picture.
        contours: Face Mesh contour points likewise; zero where `has_contours` is False.
        has_contours: whether a row has contour points.
        skipped: rows that could not be used.
    """

    name: str
    images: list[bytes] | list[Path]
    keys: list[str]
    identities: list[str]
    color: Int8[np.ndarray, " N"]
    landmarks68: Float32[np.ndarray, "N 68 2"]
    contours: Float32[np.ndarray, "N 138 2"]
    has_contours: Bool[np.ndarray, " N"]
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def people(self) -> list[str]:
        """Who is shown in each row; the row's key where that is not known."""
        return [identity or key for identity, key in zip(self.identities, self.keys, strict=True)]

    def select(self, rows: np.ndarray) -> FaceRecords:
        """The rows of an index array, in its order."""
        return FaceRecords(
            self.name,
            [self.images[i] for i in rows] if self.images else [],  # type: ignore[arg-type]
            [self.keys[i] for i in rows],
            [self.identities[i] for i in rows],
            self.color[rows],
            self.landmarks68[rows],
            self.contours[rows],
            self.has_contours[rows],
            self.skipped,
        )


@runtime_checkable
class Reader(Protocol):
    """A function that reads one format."""

    def __call__(self, path: Path) -> FaceRecords:
        """Raises `InputError` where the path is not of the format."""
        ...  # pragma: no cover


def usable_landmarks(landmarks68: np.ndarray) -> np.ndarray:
    """(N,) whether all 68 points are finite and span at least four pixels."""
    finite = np.isfinite(landmarks68).all((1, 2))
    points = np.where(finite[:, None, None], landmarks68, 0)
    return finite & ((points.max(1) - points.min(1)).max(1) >= 4)


def report_skipped(path: str | os.PathLike, count: int, total: int, first: str) -> None:
    """One warning for all rows of a source that were left out."""
    if count:
        log.warning("%s: skipped %d of %d rows (first: %s)", path, count, total, first)


def decode(image: bytes | Path) -> np.ndarray:
    """Decode to RGB uint8 (H, W, 3), the orientation flag applied.

    Raises:
        InputError: unreadable or not a picture.
    """
    try:
        encoded = image.read_bytes() if isinstance(image, Path) else image
        pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error) as error:
        raise InputError(f"{_name(image)}: cannot be read ({error})") from error
    if pixels is None:
        raise InputError(f"{_name(image)}: not a picture that can be decoded")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _name(image: bytes | Path) -> str:
    return str(image) if isinstance(image, Path) else "embedded image"
