"""Drawn eyes: lids that open by chance over a bright ball with a dark iris."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SKIN, BALL, IRIS, LASHES = (200, 150, 130), (235, 235, 230), (60, 40, 30), (40, 30, 30)


def drawn_eye(opening: float, look: float, left: bool) -> dict:
    """Picture 96×72 with lids and iris, as rows of eye packs have them.

    Args:
        opening: height between the lids over the eye's width.
        look: of the iris towards the nose, eye widths.
        left: whether it is mirrored.
    """
    x = np.linspace(24, 72, 9)
    bow = 1 - ((x - 48) / 24) ** 2
    upper = np.column_stack([x, 36 - 0.7 * 48 * opening * bow])
    lower = np.column_stack([x, 36 + 0.3 * 48 * opening * bow])[::-1]
    lids = np.concatenate([upper, lower[1:-1]])
    center = np.array([48 + look * 48, 36.0])
    iris = np.concatenate([center[None], center + 9 * np.array([[1, 0], [0, -1], [-1, 0], [0, 1]])])
    image = np.full((72, 96, 3), SKIN, np.uint8)
    ball = np.full_like(image, BALL)
    cv2.circle(ball, np.round(center).astype(int).tolist(), 9, IRIS, -1)
    mask = np.zeros((72, 96), np.uint8)
    outline = [np.round(lids * 16).astype(np.int32)]
    cv2.fillPoly(mask, outline, 1, shift=4)
    image = np.where(mask[..., None] > 0, ball, image)
    cv2.polylines(image, outline, True, LASHES, 2, cv2.LINE_AA, 4)
    if left:
        image = image[:, ::-1]
        lids, iris = (points * (-1, 1) + (95, 0) for points in (lids, iris))
    return {"image": np.ascontiguousarray(image), "lids": lids, "iris": iris, "left": left}


def eye_pack(path: Path, clips: int = 4, frames: int = 6) -> Path:
    """A pack of drawn eyes: both shut in each clip's first frame, then more and more open."""
    rng = np.random.default_rng(0)
    rows = []
    for clip in range(clips):
        for frame in range(frames):
            for left in (False, True):
                eye = drawn_eye(0.4 * frame / (frames - 1), 0.12 * rng.uniform(-1, 1), left)
                encoded = cv2.imencode(".png", eye["image"][..., ::-1])[1].tobytes()
                rows.append(
                    {
                        "image": encoded,
                        "lids": eye["lids"].astype(np.float32).ravel(),
                        "iris": eye["iris"].astype(np.float32).ravel(),
                        "side": "L" if left else "R",
                        "clip": f"clip{clip}",
                        "identity": f"person{clip}",
                    }
                )
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path
