"""Small data sets with known contents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xpress.morphable.landmarks import landmark_weights


def face_points(rng: np.random.Generator, side: int = 144) -> np.ndarray:
    """(68, 2) points spread over the middle of a picture."""
    return rng.uniform(0.3 * side, 0.7 * side, (68, 2)).astype(np.float32)


def encode(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


@pytest.fixture
def write_pack(tmp_path: Path) -> Callable[..., Path]:
    """Writes a pack of random rows; keyword columns replace the random ones."""

    def write(name: str = "pack", count: int = 8, people: int = 4, **columns) -> Path:
        rng = np.random.default_rng(len(name) + count)
        images = [rng.integers(0, 256, (144, 144, 3), np.uint8) for _ in range(count)]
        table = {
            "image": [encode(image) for image in images],
            "key": [f"row/{i}" for i in range(count)],
            "identity": [f"person/{i % people}" for i in range(count)],
            "color": [True] * count,
            "landmarks68": [face_points(rng).ravel().tolist() for _ in range(count)],
            "contours": [rng.uniform(40, 100, 276).tolist() for _ in range(count)],
        }
        table.update(columns)
        table = {key: value for key, value in table.items() if value is not None}
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table(table), path)
        return path

    return write


MOUTH = (64.0, 62.0)
"""Middle of the lips in the pictures of `write_mouths`."""
LIPS = (30.0, 16.0)
"""Their half axes."""
# The inner lips' rows of `contours`, on screen from the left corner along the upper lip to the
# right one and back below: the Face Mesh's 78 191 80 81 82 13 312 311 310 415 308 324 318 402 317
# 14 87 178 88 95.
INNER_ROWS = (23, 64, 24, 25, 26, 3, 88, 87, 86, 125, 85, 94, 91, 122, 90, 4, 28, 61, 29, 32)
OUTER_ROWS = landmark_weights.LIPS[:20]


def draw_mouth(height: float, side: int = 128) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A black hole between red lips in grey skin, with a spot left of it that tells mirrored ones.

    Args:
        height: half of the hole's height, pixels; its half width is 24.
        side: pixels of the picture.

    Returns:
        The picture, 68 landmarks of which the lips' are on the ellipses, and the contours.
    """
    y, x = np.mgrid[:side, :side] + 0.0

    def inside(a: float, b: float) -> np.ndarray:
        return ((x - MOUTH[0]) / a) ** 2 + ((y - MOUTH[1]) / max(b, 1e-3)) ** 2 <= 1

    image = np.full((side, side, 3), 150, np.uint8)
    image[np.hypot(x - 25, y - 62) <= 4] = (0, 0, 255)
    image[inside(*LIPS)] = (200, 60, 60)
    image[inside(24, height)] = 0
    landmarks = np.random.default_rng(0).uniform(20, 108, (68, 2))
    angle = np.linspace(np.pi, -np.pi, 12, endpoint=False)
    landmarks[48:60] = np.stack([np.cos(angle), -np.sin(angle)], 1) * LIPS + MOUTH
    contours = np.random.default_rng(1).uniform(20, 108, (138, 2))
    angle = np.linspace(np.pi, -np.pi, 20, endpoint=False)
    ellipse = np.stack([np.cos(angle), -np.sin(angle)], 1) * (24, height) + MOUTH
    contours[list(INNER_ROWS)] = ellipse
    contours[OUTER_ROWS] = np.stack([np.cos(angle), -np.sin(angle)], 1) * LIPS + MOUTH
    return image, landmarks.astype(np.float32), contours.astype(np.float32)


@pytest.fixture
def write_mouths(tmp_path: Path) -> Callable[..., Path]:
    """Writes a pack of drawn mouths, one for each given half height of the hole."""

    def write(heights: Sequence[float], people: int = 4, name: str = "mouths") -> Path:
        drawn = [draw_mouth(height) for height in heights]
        table = {
            "image": [encode(image) for image, _, _ in drawn],
            "key": [f"row/{i}" for i in range(len(drawn))],
            "identity": [f"person/{i % people}" for i in range(len(drawn))],
            "landmarks68": [landmarks.ravel().tolist() for _, landmarks, _ in drawn],
            "contours": [contours.ravel().tolist() for _, _, contours in drawn],
        }
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table(table), path)
        return path

    return write
