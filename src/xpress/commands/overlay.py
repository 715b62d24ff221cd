"""What the encoder found, drawn over the picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from xpress.animation.warping.mesh_evaluator import Projection, camera_normals
from xpress.extraction.face_sample import FaceSample
from xpress.morphable.face_model import LinearFaceModel
from xpress.rendering.z_buffer import rasterize_numpy

MESH_SHARE = 0.45
"""Opacity of the mesh."""
LIGHT = np.array([0.25, 0.45, 0.86])
"""Towards the lamp that the mesh is drawn under, camera space."""
MESH_COLOR = np.array([150.0, 190.0, 235.0])
POINT_COLOR = (70, 255, 90)
CONTOUR_COLOR = (255, 190, 60)


class Overlay:
    """Draws the shaded mesh, the contour points and the 68 landmarks of faces.

    Args:
        model: the face model.
    """

    def __init__(self, model: LinearFaceModel) -> None:
        self.model = model.numpy()
        self._corners = self.model.part_triangles("face").astype(np.int32)
        self._stop = model.parts["face"].vertex_stop

    def __call__(
        self, image: UInt8[np.ndarray, "H W 3"], faces: Sequence[FaceSample]
    ) -> UInt8[np.ndarray, "H W 3"]:
        """A copy of the picture with the faces drawn on it."""
        drawn = image.copy()
        self.draw(drawn, faces)
        return drawn

    def draw(self, image: UInt8[np.ndarray, "H W 3"], faces: Sequence[FaceSample]) -> None:
        """Draw the faces on the picture itself."""
        for face in faces:
            self._mesh(image, face)
            self._points(image, face)

    def vertices(self, face: FaceSample) -> Float[np.ndarray, "V 3"]:
        """All of the model's vertices in the picture: pixels, z towards the viewer."""
        p = face.parameters
        return Projection(p).project(self.model.vertices(p.identity, p.expression)[0])

    def _mesh(self, image: np.ndarray, face: FaceSample) -> None:
        vertices = self.vertices(face)[: self._stop]
        height, width = image.shape[:2]
        low = np.floor(vertices[:, :2].min(0)).clip(0).astype(int)
        high = np.ceil(vertices[:, :2].max(0)).astype(int) + 1
        high = np.minimum(high, [width, height])
        if (high <= low).any():
            return
        normals = camera_normals(vertices, self._corners)
        shading = 0.35 + 0.75 * np.clip(normals @ LIGHT, 0, None)
        corner = np.array([*low, 0], np.float32)
        index, weights, _ = rasterize_numpy(
            (vertices - corner).astype(np.float32), self._corners, *(high - low)[::-1].tolist()
        )
        seen = index >= 0
        shade = (shading[self._corners[index[seen]]] * weights[seen]).sum(1)
        patch = image[low[1] : high[1], low[0] : high[0]]
        mixed = (1 - MESH_SHARE) * patch[seen] + MESH_SHARE * shade[:, None] * MESH_COLOR
        patch[seen] = mixed.clip(0, 255).astype(np.uint8)

    def _points(self, image: np.ndarray, face: FaceSample) -> None:
        eye = float(np.linalg.norm(face.landmarks68[36] - face.landmarks68[45]))
        radius = max(eye / 60, 0.8)
        for points, color, size in (
            (face.contours, CONTOUR_COLOR, 0.6 * radius),
            (face.landmarks68, POINT_COLOR, radius),
        ):
            for x, y in points:
                # eighths of a pixel, so that small drifts are seen
                center = round(float(x) * 8), round(float(y) * 8)
                cv2.circle(image, center, round(size * 8), color, -1, cv2.LINE_AA, shift=3)


def contact_sheet(
    frames: Sequence[UInt8[np.ndarray, "H W 3"]], columns: int = 6, width: int = 220
) -> UInt8[np.ndarray, "H2 W2 3"]:
    """Frames side by side, row by row, each scaled to `width` pixels."""
    height = round(frames[0].shape[0] * width / frames[0].shape[1])
    small = [cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA) for f in frames]
    small += [np.full_like(small[0], 255)] * (-len(small) % columns)
    rows = [np.hstack(small[i : i + columns]) for i in range(0, len(small), columns)]
    return np.vstack(rows)
