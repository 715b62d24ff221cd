"""A picture for the colours of a face model's vertices, as programs want that draw textures.

The face is unrolled about the vertical axis; teeth, eyes and the rest lie below it, each part seen
from the front.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from xpress.morphable.face_model import FaceModel
from xpress.rendering.z_buffer import draw_batch

SIZE = 1024
_STRIP = 0.2
"""Height of the row of inner parts."""
_MARGIN = 0.01


def atlas_coordinates(model: FaceModel) -> Float[np.ndarray, "V 2"]:
    """Place of each vertex in the picture; (0, 0) is the lower left corner."""
    uv = np.zeros((len(model.mean), 2))
    inner = [name for name in model.parts if name != "face"]
    for name, part in model.parts.items():
        rows = slice(part.vertex_start, part.vertex_stop)
        points = model.mean[rows].astype(float)
        if name == "face":
            # the axis behind the face, so that the forehead is not narrower than the cheeks
            depth = points[:, 2] - points[:, 2].min() + np.ptp(points[:, 0]) / 2
            points = np.stack([np.arctan2(points[:, 0], depth), points[:, 1]], 1)
            low, high = np.array([0, _STRIP]), np.array([1, 1])
        else:
            column = inner.index(name) / len(inner)
            low, high = np.array([column, 0]), np.array([column + 1 / len(inner), _STRIP])
        points = points[:, :2] - points[:, :2].min(0)
        uv[rows] = low + _MARGIN + points / points.max(0) * (high - low - 2 * _MARGIN)
    return uv


def bake_atlas(
    model: FaceModel, colors: Float[np.ndarray, "V 3"], size: int = SIZE
) -> UInt8[np.ndarray, "S S 3"]:
    """Draw vertex colours in [0, 1] into the picture; what no triangle covers takes its nearest."""
    uv = atlas_coordinates(model)
    flat = np.empty((1, len(uv), 3), np.float32)
    flat[0, :, 0] = uv[:, 0] * size - 0.5
    flat[0, :, 1] = (1 - uv[:, 1]) * size - 0.5
    # of triangles that cover one another, as the two rows of a tooth, the one in front is seen
    flat[0, :, 2] = model.mean[:, 2]
    triangles = model.triangles.astype(np.int32)
    seen = np.empty((1, size, size), np.int32)
    depth = np.empty((1, size, size), np.float32)
    draw_batch(flat, triangles, False, seen, depth)
    picture = _interpolated(flat[0, :, :2], colors, triangles, seen[0])
    return _spread(picture, seen[0] >= 0)


def _interpolated(
    points: np.ndarray, colors: np.ndarray, triangles: np.ndarray, seen: np.ndarray
) -> UInt8[np.ndarray, "S S 3"]:
    rows, columns = np.nonzero(seen >= 0)
    corners = triangles[seen[rows, columns]]
    a, b, c = (points[corners[:, i]].astype(float) for i in range(3))
    at = np.stack([columns, rows], 1)
    weights = np.stack([_cross(b - at, c - at), _cross(c - at, a - at), _cross(a - at, b - at)], 1)
    weights /= weights.sum(1, keepdims=True)
    values = (colors[corners] * weights[:, :, None]).sum(1)
    picture = np.zeros((*seen.shape, 3), np.uint8)
    picture[rows, columns] = np.rint(values.clip(0, 1) * 255)
    return picture


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _spread(picture: np.ndarray, covered: np.ndarray) -> UInt8[np.ndarray, "S S 3"]:
    """Fill what is not covered, so that filters at the border mix in no black."""
    _, labels = cv2.distanceTransformWithLabels(
        (~covered).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros((labels.max() + 1, 3), np.uint8)
    nearest[labels[covered]] = picture[covered]
    return nearest[labels]
