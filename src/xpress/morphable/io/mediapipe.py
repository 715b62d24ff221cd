"""Where MediaPipe Face Mesh's points lie on ICT-FaceKit's mesh."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from xpress.errors import InputError
from xpress.morphable.io.ict import RANGES, read_archive

FACE_MESH_POINTS = 468
IRIS_OVER_EYEBALL = 0.49
"""Radius of the visible iris (5.9 mm) over the eyeball's (12 mm)."""
# Centre, then towards +x, up, -x and down in the picture; 468… is the eye of negative x.
IRIS_DIRECTIONS = np.array([[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1]])


def landmark_vertices(
    ict: str | os.PathLike, mesh_points: str | os.PathLike, indices: str | os.PathLike
) -> np.ndarray:
    """ICT vertex of each landmark: the 68, then the contour points with the irises, (206,).

    Args:
        ict: the packed ICT-FaceKit archive.
        mesh_points: JSON with `vertex`, the ICT vertex of each of the 468 points.
        indices: JSON with the Face Mesh index of each landmark and each contour point.

    Raises:
        InputError: a file is missing or lacks those entries.
    """
    try:
        vertex = np.array(json.loads(Path(mesh_points).read_bytes())["vertex"])
        table = json.loads(Path(indices).read_bytes())
        wanted = [*table["landmarks68_mediapipe_index"], *table["contours_mediapipe_index"]]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{mesh_points}, {indices}: not landmark tables ({error})") from error
    neutral = read_archive(ict)["neutral"]
    irises = {
        FACE_MESH_POINTS + 5 * number + point: index
        for number, part in enumerate(("eyeball_right", "eyeball_left"))
        for point, index in enumerate(_iris_vertices(neutral, RANGES[part][0]))
    }
    return np.array([irises[i] if i >= FACE_MESH_POINTS else vertex[i] for i in wanted])


def _iris_vertices(neutral: np.ndarray, span: tuple[int, int]) -> list[int]:
    ball = neutral[span[0] : span[1]]
    low, high = ball.min(0), ball.max(0)
    radius = (high[0] - low[0]) / 2
    targets = np.tile((low + high) / 2, (5, 1))
    targets[:, :2] += IRIS_DIRECTIONS * IRIS_OVER_EYEBALL * radius
    reach = IRIS_OVER_EYEBALL * np.linalg.norm(IRIS_DIRECTIONS, axis=1)
    targets[:, 2] = low[2] + radius * (1 + np.sqrt(1 - reach**2))
    return [span[0] + int(np.linalg.norm(ball - target, axis=1).argmin()) for target in targets]
