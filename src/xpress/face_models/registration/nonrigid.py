"""Non-rigid registration of one face mesh to another.

Iterative closest points with a thin plate's stiffness that is lowered step by step, as in Amberg,
Romdhani and Vetter, "Optimal Step Nonrigid ICP Algorithms for Surface Registration", CVPR 2007,
here on displacements: the meshes are aligned mean faces, so that no vertex turns far. What has no
partner (borders, back sides, openings) follows its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix, diags, spmatrix
from scipy.sparse.linalg import SuperLU, splu
from scipy.spatial import cKDTree

from xpress.face_models.registration.surface_points import Surface, SurfacePoint

_STIFFNESS = np.geomspace(300.0, 0.5, 9)
"""Of the plate, from stiff to soft, relative to the weight of a vertex."""
_ROUNDS = 3
_TENSION = 0.02
"""Of a membrane over the plate: extrapolation levels off instead of growing."""
_REACH = np.geomspace(2.0, 0.4, len(_STIFFNESS))
"""Farthest partner, centimetres."""
_FACING = 0.5
"""Least cosine between the normals of partners."""
_BEFORE, _CLEAR = (0.3, 0.5, 0.75, 1.0), 0.6
"""Centimetres along a normal, and the share of them that have to be free around their ends."""
_MARKED = np.geomspace(100.0, 0.1, len(_STIFFNESS))
"""Weight of a landmark."""


class Plate:
    """A mesh as a thin elastic plate.

    Args:
        vertices: at rest.
        triangles: of the mesh.
    """

    def __init__(
        self, vertices: Float[np.ndarray, "N 3"], triangles: Int[np.ndarray, "F 3"]
    ) -> None:
        self.vertices, self.triangles = np.asarray(vertices, float), triangles
        laplacian = _laplacian(len(vertices), triangles)
        self._open = exposed(self.vertices, triangles)
        self._energy = (laplacian.T @ laplacian + _TENSION * laplacian).tocsc()

    def extended(
        self,
        values: Float[np.ndarray, "K N C"],
        known: Bool[np.ndarray, " N"],
        stiffness: float = 1e-3,
    ) -> Float[np.ndarray, "K N C"]:
        """Values that are known at some vertices, continued smoothly to all."""
        count, size, channels = values.shape
        system = _factorised(self._system(known.astype(float), stiffness))
        flat = values.transpose(1, 0, 2).reshape(size, -1) * known[:, None]
        return system.solve(flat.astype(float)).reshape(size, count, channels).transpose(1, 0, 2)

    def _system(self, weights: Float[np.ndarray, " N"], stiffness: float) -> csc_matrix:
        # a trace of weight everywhere: parts without any partner stay where they are
        return (stiffness * self._energy + diags(weights + 1e-9)).tocsc()

    def partners(
        self, vertices: Float[np.ndarray, "N 3"], target: Surface, reach: float
    ) -> tuple[SurfacePoint, Bool[np.ndarray, " N"]]:
        """The nearest point of the target to each vertex, and which of them are to be trusted.

        Those are near enough, face the same way, do not lie on the target's border, and no other
        skin lies before them at rest: not every mesh has nostrils and inner lips.
        """
        found = target.nearest(vertices)
        distance = np.linalg.norm(found.mix(target.vertices) - vertices, axis=1)
        facing = (vertex_normals(vertices, self.triangles) * found.normal).sum(1) > _FACING
        near = (distance < reach) & facing & ~target.on_border(found)
        return found, near & self._open

    def registered(
        self,
        target: Surface,
        marks: csr_matrix,
        positions: Float[np.ndarray, "M 3"],
    ) -> Float[np.ndarray, "N 3"]:
        """Where the vertices lie when the plate is bent onto the target.

        Args:
            target: the other mesh, aligned.
            marks: (M, N) landmarks as weighted vertices of the plate.
            positions: the same landmarks on the target.
        """
        rest, now = self.vertices, self.vertices
        wanted_marks = positions - marks @ rest
        for stiffness, reach, marked in zip(_STIFFNESS, _REACH, _MARKED, strict=True):
            for _ in range(_ROUNDS):
                found, trusted = self.partners(now, target, reach)
                weights = trusted.astype(float)
                system = self._system(weights, stiffness) + marked * (marks.T @ marks)
                pull = weights[:, None] * (found.mix(target.vertices) - rest)
                right = pull + marked * (marks.T @ wanted_marks)
                now = rest + _factorised(system).solve(right)
        return now


def _factorised(system: spmatrix) -> SuperLU:
    """LU factors of a symmetric positive definite matrix."""
    options = {"SymmetricMode": True}
    return splu(system.tocsc(), "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)


def exposed(
    vertices: Float[np.ndarray, "N 3"], triangles: Int[np.ndarray, "F 3"]
) -> Bool[np.ndarray, " N"]:
    """Vertices that have nothing of the mesh before them, along their normals."""
    tree, normals = cKDTree(vertices), vertex_normals(vertices, triangles)
    clear = np.ones(len(vertices), bool)
    for step in _BEFORE:
        distance, _ = tree.query(vertices + step * normals)
        clear &= distance > _CLEAR * step
    return clear


def vertex_normals(
    vertices: Float[np.ndarray, "N 3"], triangles: Int[np.ndarray, "F 3"]
) -> Float[np.ndarray, "N 3"]:
    """Unit normals, weighted by the triangles' areas."""
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    summed = np.zeros(vertices.shape)
    for corner in range(3):
        np.add.at(summed, triangles[:, corner], normals)
    return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)


def marks_matrix(
    corners: Int[np.ndarray, "M 3"], weights: Float[np.ndarray, "M 3"], count: int
) -> csr_matrix:
    """Landmarks between three vertices each as a (M, count) matrix."""
    rows = np.repeat(np.arange(len(corners)), 3)
    return coo_matrix((weights.ravel(), (rows, corners.ravel())), (len(corners), count)).tocsr()


def _laplacian(count: int, triangles: Int[np.ndarray, "F 3"]) -> csr_matrix:
    """Symmetric graph Laplacian, the mean degree scaled to one."""
    pairs: Sequence = [triangles[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]
    edges = np.concatenate(pairs)
    ones = np.ones(len(edges))
    graph = coo_matrix((ones, (edges[:, 0], edges[:, 1])), (count, count)).tocsr()
    graph = ((graph + graph.T) > 0).astype(float)
    degree = np.asarray(graph.sum(1)).ravel()
    return ((diags(degree) - graph) / degree.mean()).tocsr()
