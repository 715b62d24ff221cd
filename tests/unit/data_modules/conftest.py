"""Small data sets with known contents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


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
