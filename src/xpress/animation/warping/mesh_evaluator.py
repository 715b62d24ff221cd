"""The face model in numpy for the frame loop: sparse expressions, projection, normals."""

from __future__ import annotations

from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int32
from numba import njit

from xpress.morphable.face_model import LinearFaceModel
from xpress.structures import FaceParameters

NEGLIGIBLE = 1e-3
"""Expression offsets below (model units, about 10 micrometres) are dropped."""


class MeshEvaluator:
    """Evaluates one face at a time.

    Three quarters of the expression basis are zero: offsets are kept vertex by vertex, and an
    expression costs what it moves.

    Args:
        model: the face model.
        damping: factor on every vertex's offsets, of each expression or of all; zero for
            vertices that never matter.
    """

    def __init__(self, model: LinearFaceModel, damping: Float32[np.ndarray, "*#Ke V"]) -> None:
        self.model = model = model.numpy()
        factors = np.broadcast_to(damping, model.expression_basis.shape[:2])
        # one expression at a time: the whole basis once more is what an animator would peak at
        vertices, offsets = [], []
        for basis, factor in zip(model.expression_basis, factors, strict=True):
            damped = basis * factor[:, None]
            x, y, z = np.abs(damped).T  # a maximum along the short axis takes ten times as long
            vertices.append(np.flatnonzero(np.maximum(np.maximum(x, y), z) > NEGLIGIBLE))
            offsets.append(damped[vertices[-1]])
        self._vertex = np.concatenate(vertices).astype(np.int32)
        self._offset = np.concatenate(offsets)
        self._start = np.cumsum([0, *map(len, vertices)])
        self._identity: np.ndarray | None = None
        self._neutral = model.mean

    def neutral(self, identity: Float[np.ndarray, "1 Ki"]) -> Float32[np.ndarray, "V 3"]:
        """The expressionless face in model space; the last identity is remembered."""
        if self._identity is None or not np.array_equal(identity, self._identity):
            self._identity = identity.copy()
            self._neutral = self.model.neutral(identity.astype(np.float32))[0]
        return self._neutral

    def offsets(self, expression: Float32[np.ndarray, " Ke"]) -> Float32[np.ndarray, "V 3"]:
        """What an expression (or a change of it) adds to the vertices, model space."""
        out = np.zeros((len(self._neutral), 3), np.float32)
        _accumulate(self._start, self._vertex, self._offset, expression.astype(np.float32), out)
        return out


class Projection:
    """The scaled orthographic camera of one face, in numpy.

    Attributes:
        linear: (3, 3) float32; row vectors times it are pixels (y down) and depth in pixels.
        offset: (3,) float32 pixels.
    """

    def __init__(self, parameters: FaceParameters) -> None:
        face = parameters.numpy()
        rotation = cv2.Rodrigues(face.rotation[0].astype(float))[0]
        flip = np.array([1.0, -1.0, 1.0])
        self.linear = np.ascontiguousarray(
            (float(face.scale[0]) * rotation.T * flip).astype(np.float32)
        )
        self.offset = np.append(face.translation[0], 0)
        self.offset = self.offset.astype(np.float32)

    def project(self, points: Float32[np.ndarray, "V 3"]) -> Float32[np.ndarray, "V 3"]:
        """Model space to pixels and depth, as `xpress.rendering.camera.project` does."""
        return points @ self.linear + self.offset

    def displace(self, offsets: Float32[np.ndarray, "V 3"]) -> Float32[np.ndarray, "V 3"]:
        """What an offset in model space is in pixels."""
        return offsets @ self.linear


def camera_normals(
    projected: Float32[np.ndarray, "V 3"], triangles: Int32[np.ndarray, "F 3"]
) -> Float32[np.ndarray, "V 3"]:
    """Unit normals in camera space (y up, +z to the viewer), zero where no triangle is."""
    out = np.zeros_like(projected)
    _normals(projected, triangles, out)
    return out


@njit(cache=True, nogil=True)
@no_type_check  # the import hook of the tests would hand numba a wrapper
def _accumulate(start, vertex, offset, weight, out):
    for e in range(weight.shape[0]):
        w = weight[e]
        if w == 0:
            continue
        for n in range(start[e], start[e + 1]):
            v = vertex[n]
            out[v, 0] += w * offset[n, 0]
            out[v, 1] += w * offset[n, 1]
            out[v, 2] += w * offset[n, 2]


@njit(cache=True, nogil=True)
@no_type_check
def _normals(projected, triangles, out):
    for f in range(triangles.shape[0]):
        i, j, k = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ax = projected[j, 0] - projected[i, 0]
        ay = projected[i, 1] - projected[j, 1]
        az = projected[j, 2] - projected[i, 2]
        bx = projected[k, 0] - projected[i, 0]
        by = projected[i, 1] - projected[k, 1]
        bz = projected[k, 2] - projected[i, 2]
        x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for v in (i, j, k):
            out[v, 0] += x
            out[v, 1] += y
            out[v, 2] += z
    for v in range(out.shape[0]):
        length = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2)
        if length > 0:
            out[v, 0] /= length
            out[v, 1] /= length
            out[v, 2] /= length
