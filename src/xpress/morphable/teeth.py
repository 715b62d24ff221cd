"""Where the two rows of teeth are: points on the face model's teeth, for masks and alignment."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from xpress.morphable.face_model import FaceModel, LinearFaceModel

ROWS = ("teeth_upper", "teeth_lower")
COUNT = 12
"""Teeth of a row that are taken, from the middle: those behind are seldom seen."""
CROWN = 0.9
"""Centimetres from the biting edge to the gums; the model's teeth go on below them."""
SLACK = 0.05
"""Centimetres from the outermost vertex at which the biting edge is taken."""


def teeth_rows(model: LinearFaceModel) -> Int[np.ndarray, "2 2 N"]:
    """Vertices on the teeth: upper row and lower row, biting edge and gums, from right to left.

    Raises:
        ValueError: the model's rows have fewer teeth.
    """
    model = model.numpy()
    return np.stack([_row(model, name, sign) for name, sign in zip(ROWS, (1, -1), strict=True)])


def _row(model: FaceModel, name: str, sign: int) -> Int[np.ndarray, "2 N"]:
    part = model.parts[name]
    points = model.mean[part.vertex_start : part.vertex_stop]
    triangles = model.part_triangles(name) - part.vertex_start
    tooth = _components(triangles, len(points))
    count = int(tooth.max(initial=-1)) + 1
    if count < COUNT:
        raise ValueError(f"{name}: {count} teeth instead of at least {COUNT}")
    order = np.argsort([points[tooth == n, 0].mean() for n in range(count)])
    skipped = (count - COUNT) // 2
    chosen = []
    for number in order[skipped : skipped + COUNT]:
        vertices = np.flatnonzero(tooth == number)
        own = points[vertices]
        height = own[:, 1] * sign
        bite = float(height.min())
        levels = bite + SLACK, bite + CROWN
        chosen.append([vertices[_at(own, height, level)] for level in levels])
    return np.array(chosen).T + part.vertex_start


def _components(triangles: Int[np.ndarray, "F 3"], count: int) -> Int[np.ndarray, " V"]:
    """The connected piece of a mesh that each vertex belongs to, numbered from zero.

    `scipy.sparse.csgraph` does the same and is 20 MB and 0.1 s to import, in every process that
    draws a face.
    """
    label = np.arange(count)
    while True:
        lowest = label.copy()
        np.minimum.at(lowest, triangles, label[triangles].min(axis=1, keepdims=True))
        lowest = lowest[lowest]
        if np.array_equal(lowest, label):
            return np.unique(label, return_inverse=True)[1]
        label = lowest


def _at(own: np.ndarray, height: np.ndarray, level: float) -> int:
    """The vertex at a height, on the outer face of a tooth and in its middle."""
    outwards = own[:, 2] + 0.5 * np.abs(own[:, 0])
    cost = 2 * np.abs(height - level) - outwards + np.abs(own[:, 0] - own[:, 0].mean())
    return int((cost + 10 * (np.abs(height - level) > 0.2)).argmin())
