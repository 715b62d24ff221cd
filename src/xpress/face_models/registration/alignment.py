"""A face rig brought into the place, size and direction of the default model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from xpress.errors import InputError

_INNER = range(17, 68)
"""iBUG-68 numbers of points that are fixed in the face; the jaw's slide along the silhouette."""
_FEWEST = 5
_STARTS = np.geomspace(0.5, 2.0, 15)
"""Sizes that are tried where no landmarks say how large the rig is."""
_ROUNDS = 40
_TRUSTED = 0.7
"""Share of the nearest points that take part in each round; the rest may have no partner."""
_WORST = 0.35
"""Mean distance of these, centimetres, above which no face was found."""


@dataclass(frozen=True)
class Similarity:
    """points → scale · points @ rotation.T + translation."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    def __call__(self, points: Float[np.ndarray, "*N 3"]) -> Float[np.ndarray, "*N 3"]:
        """Where points are taken."""
        return self.offsets(points) + self.translation

    def back(self, points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
        """The points that are taken to these."""
        return (points - self.translation) @ self.rotation / self.scale

    def offsets(self, vectors: Float[np.ndarray, "*N 3"]) -> Float[np.ndarray, "*N 3"]:
        """Differences of points."""
        return self.scale * vectors @ self.rotation.T


def between(source: Float[np.ndarray, "N 3"], target: Float[np.ndarray, "N 3"]) -> Similarity:
    """The similarity that takes points to their partners by least squares.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 1991.
    """
    a, b = source - source.mean(0), target - target.mean(0)
    left, singular, right = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = (left * signs) @ right
    scale = float((singular * signs).sum() / max((a * a).sum(), 1e-20))
    return Similarity(scale, rotation, target.mean(0) - scale * rotation @ source.mean(0))


def align(
    vertices: Float[np.ndarray, "V 3"],
    landmarks: dict[int, Float[np.ndarray, "3"]],
    face: Float[np.ndarray, "N 3"],
    marks: Float[np.ndarray, "68 3"],
) -> Similarity:
    """What takes a rig onto the default model's mean face.

    Args:
        vertices: the rig's mean face, y up, looking along +z.
        landmarks: of the rig by iBUG-68 number; fewer than five count as none.
        face: vertices of the default model's face.
        marks: its landmarks.

    Raises:
        InputError: the rig has no landmarks, and no face of its own was found.
    """
    known = [i for i in _INNER if i in landmarks]
    if len(known) >= _FEWEST:
        return between(np.array([landmarks[i] for i in known]), marks[known])
    front = face[face[:, 2] > np.quantile(face[:, 2], 0.5)][::3]
    tip, tree = _nose(vertices), cKDTree(vertices)
    width = np.ptp(face[:, 0]) / max(float(np.ptp(vertices[:, 0])), 1e-9)
    found = [
        _closest(tree, Similarity(width * start, np.eye(3), marks[30] - width * start * tip), front)
        for start in _STARTS
    ]
    distance, best = min(found, key=lambda item: item[0])
    if distance > _WORST:
        raise InputError(
            f"no face was found in the mesh (mean distance {distance:.2f} cm): it has to have y up "
            "and look along +z; or name its landmarks"
        )
    return best


def _closest(
    tree: cKDTree, start: Similarity, front: Float[np.ndarray, "N 3"]
) -> tuple[float, Similarity]:
    """Trimmed iterative closest points from the face to the rig, and the distance that is left."""
    now = start
    for _ in range(_ROUNDS):
        distance, near = tree.query(now.back(front))
        trusted = distance <= np.quantile(distance, _TRUSTED)
        now = between(tree.data[near[trusted]], front[trusted])
        if not 0.4 < now.scale / start.scale < 2.5:
            return np.inf, start  # it shrinks the rig to a point or takes an ear for the face
    distance, _ = tree.query(now.back(front))
    return now.scale * float(np.sort(distance)[: int(_TRUSTED * len(distance))].mean()), now


def _nose(vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "3"]:
    """The foremost vertex near the middle."""
    x = vertices[:, 0]
    middle = np.abs(x - (x.min() + x.max()) / 2) < 0.15 * np.ptp(x)
    index: Int[np.ndarray, " M"] = np.flatnonzero(middle)
    return vertices[index[vertices[index, 2].argmax()]]
