"""Mesh topology: triangulation, boundary loops, mirror symmetry, neighbourhoods."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from scipy.spatial import cKDTree


def triangulate(quads: np.ndarray) -> np.ndarray:
    """(Q, 4) quads to (F, 3) triangles; a quad that repeats its last corner gives one."""
    first = quads[:, :3]
    second = quads[quads[:, 2] != quads[:, 3]][:, [0, 2, 3]]
    return np.concatenate([first, second])


def boundary_loops(triangles: np.ndarray) -> list[np.ndarray]:
    """Closed vertex loops along edges that only one triangle uses."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    _, inverse, count = np.unique(
        np.sort(edges, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    following = dict(edges[count[inverse.ravel()] == 1].tolist())
    loops = []
    while following:
        start, vertex = following.popitem()
        loop = [start]
        while vertex != start:
            loop.append(vertex)
            if vertex not in following:
                break
            vertex = following.pop(vertex)
        loops.append(np.array(loop))
    return loops


def mirror_indices(vertices: np.ndarray) -> np.ndarray:
    """Index of the vertex nearest to each vertex's mirror image in x."""
    return cKDTree(vertices).query(vertices * np.array([-1, 1, 1]))[1].astype(np.int64)


def rings(triangles: np.ndarray, seed: int, count: int) -> set[int]:
    """Vertices within `count` edges of `seed`."""
    neighbours: defaultdict[int, set[int]] = defaultdict(set)
    for a, b, c in triangles.tolist():
        neighbours[a] |= {b, c}
        neighbours[b] |= {a, c}
        neighbours[c] |= {a, b}
    reached = front = {seed}
    for _ in range(count):
        front = set().union(*(neighbours[v] for v in front)) - reached
        reached = reached | front
    return reached
