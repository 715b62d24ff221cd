"""Folds of the skin: where a moved face bends inwards more than before, less light falls in.

The light's change with the normals (`relighting`) is that of an open surface; what a fold shades
itself is left out there, and it is most of what one sees of nasolabial folds and brow wrinkles.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Int32
from numba import njit

DEPTH = 0.016
"""Logarithm of the light that is lost for each unit by which the mean curvature falls, where
curvature is that over the distance of the outer eye corners."""
DARKEST, BRIGHTEST = -0.3, 0.12
"""Limits of the change's logarithm."""
NEAR, FAR = 0.35, 0.9
"""Centimetres from lids and lips up to which nothing is shaded, and from which all is: their
edges are no folds."""


class Creases:
    """Measures how much a face bends, and what a change of it does to the light.

    Args:
        triangles: of the skin.
        rim_distance: of every vertex of the mean face from lids and lips, centimetres.
    """

    def __init__(
        self, triangles: Int32[np.ndarray, "F 3"], rim_distance: Float32[np.ndarray, " V"]
    ) -> None:
        corners = triangles
        edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
        self._edges = np.unique(np.sort(edges, axis=1), axis=0).astype(np.int32)
        degree = np.bincount(self._edges.ravel(), minlength=len(rim_distance))
        share = ((rim_distance - NEAR) / (FAR - NEAR)).clip(0, 1)
        self._weight = (share / np.maximum(degree, 1)).astype(np.float32)

    def bend(
        self,
        projected: Float32[np.ndarray, "V 3"],
        normals: Float32[np.ndarray, "V 3"],
        eye_distance: float,
    ) -> Float32[np.ndarray, " V"]:
        """Mean curvature, positive where the face bulges; zero at lids and lips.

        Args:
            projected: vertices in pixels, y down.
            normals: unit normals in camera space, y up.
            eye_distance: of the outer eye corners, pixels; the unit of curvature is one over it.
        """
        out = np.zeros(len(projected), np.float32)
        _add_curvature(self._edges, projected, normals, out)
        return out * (self._weight * np.float32(eye_distance))

    @staticmethod
    def change(
        old: Float32[np.ndarray, " V"], new: Float32[np.ndarray, " V"]
    ) -> Float32[np.ndarray, " V"]:
        """Logarithm of the light's change between two bends."""
        return (np.float32(DEPTH) * (new - old)).clip(DARKEST, BRIGHTEST)


@njit(cache=True, nogil=True)
@no_type_check  # the import hook of the tests would hand numba a wrapper
def _add_curvature(edges, projected, normals, out):
    """Sum over a vertex's edges of the normal's turn along each, per pixel."""
    for e in range(edges.shape[0]):
        i, j = edges[e, 0], edges[e, 1]
        x = projected[j, 0] - projected[i, 0]
        y = projected[i, 1] - projected[j, 1]
        z = projected[j, 2] - projected[i, 2]
        squared = x * x + y * y + z * z
        if squared > 0:
            turn = (normals[j, 0] - normals[i, 0]) * x
            turn += (normals[j, 1] - normals[i, 1]) * y
            turn += (normals[j, 2] - normals[i, 2]) * z
            turn /= squared
            out[i] += turn
            out[j] += turn
