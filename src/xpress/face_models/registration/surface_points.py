"""Nearest points on a triangle mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

_CANDIDATES = 12
"""Triangles with the nearest centres that are looked at for each point."""


@dataclass(frozen=True)
class SurfacePoint:
    """Points on a mesh, one a row.

    Attributes:
        corners: vertices of the triangle.
        weights: barycentrics.
        normal: of the triangle.
    """

    corners: Int[np.ndarray, "N 3"]
    weights: Float[np.ndarray, "N 3"]
    normal: Float[np.ndarray, "N 3"]

    def mix(self, values: Float[np.ndarray, "*K V C"]) -> Float[np.ndarray, "*K N C"]:
        """What vertices carry, at the points."""
        return sum(
            values[..., self.corners[:, i], :] * self.weights[:, i, None].astype(values.dtype)
            for i in range(3)
        )


class Surface:
    """A mesh that is asked for its nearest points.

    Args:
        vertices: positions.
        triangles: counter-clockwise seen from outside.
    """

    def __init__(
        self, vertices: Float[np.ndarray, "V 3"], triangles: Int[np.ndarray, "F 3"]
    ) -> None:
        self.vertices = np.asarray(vertices, float)
        areas = np.linalg.norm(_cross(self.vertices[triangles]), axis=1)
        self.triangles = triangles[areas > 1e-12 * areas.max()]
        corners = self.vertices[self.triangles]
        normals = _cross(corners)
        self.normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
        self._tree = cKDTree(corners.mean(1))
        self._border = _border_vertices(self.triangles, len(self.vertices))

    def nearest(self, points: Float[np.ndarray, "N 3"]) -> SurfacePoint:
        """The nearest point of the surface to each."""
        count = min(_CANDIDATES, len(self.triangles))
        _, near = self._tree.query(points, k=range(1, count + 1))
        weights = closest_barycentrics(
            self.vertices[self.triangles[near]], points[:, None].repeat(count, 1)
        )
        places = (self.vertices[self.triangles[near]] * weights[..., None]).sum(2)
        best = np.linalg.norm(places - points[:, None], axis=2).argmin(1)
        rows = np.arange(len(points))
        chosen = near[rows, best]
        return SurfacePoint(self.triangles[chosen], weights[rows, best], self.normals[chosen])

    def on_border(self, found: SurfacePoint) -> np.ndarray:
        """Which points lie on the mesh's open border: the surface went on, had it not been cut."""
        inside = (found.weights > 1e-6) & ~self._border[found.corners]
        return ~inside.any(1)


def closest_barycentrics(
    triangles: Float[np.ndarray, "*N 3 3"], points: Float[np.ndarray, "*N 3"]
) -> Float[np.ndarray, "*N 3"]:
    """Barycentrics of the point of each triangle that is nearest to its point.

    Those of the plane where they lie inside, else of the nearest of the three edges.
    """
    a, b, c = triangles[..., 0, :], triangles[..., 1, :], triangles[..., 2, :]
    u, v, w = b - a, c - a, points - a
    uu, uv, vv = (u * u).sum(-1), (u * v).sum(-1), (v * v).sum(-1)
    wu, wv = (w * u).sum(-1), (w * v).sum(-1)
    determinant = np.maximum(uu * vv - uv * uv, 1e-20)
    s, t = (vv * wu - uv * wv) / determinant, (uu * wv - uv * wu) / determinant
    best = np.stack([1 - s - t, s, t], -1)
    outside = (best < 0).any(-1)
    shortest = np.full(outside.shape, np.inf)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        start, edge = triangles[..., i, :], triangles[..., j, :] - triangles[..., i, :]
        share = ((points - start) * edge).sum(-1) / np.maximum((edge * edge).sum(-1), 1e-20)
        share = share.clip(0, 1)
        distance = np.linalg.norm(start + share[..., None] * edge - points, axis=-1)
        nearer = outside & (distance < shortest)
        shortest = np.where(nearer, distance, shortest)
        along = np.zeros(best.shape)
        along[..., i], along[..., j] = 1 - share, share
        best = np.where(nearer[..., None], along, best)
    return best


def _cross(corners: Float[np.ndarray, "F 3 3"]) -> Float[np.ndarray, "F 3"]:
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _border_vertices(triangles: Int[np.ndarray, "F 3"], count: int) -> np.ndarray:
    edges = np.sort(
        np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    )
    single, uses = np.unique(edges, axis=0, return_counts=True)
    border = np.zeros(count, bool)
    border[single[uses == 1]] = True
    return border
