"""What a reader of a face model gives: the model as its file has it, on the file's own mesh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

CENTIMETRES = {"m": 100.0, "dm": 10.0, "cm": 1.0, "mm": 0.1, "um": 1e-4}
"""Of each unit that models are written in."""


@dataclass(frozen=True, eq=False)
class FaceRig:
    """A linear face model on its own mesh, in centimetres, y up, the face looking along +z.

    Attributes:
        mean: the resting mean face.
        triangles: vertex indices, counter-clockwise seen from outside.
        identity: offsets of one standard deviation.
        expression: offsets at one: of full activation for blendshapes, of one standard deviation
            for principal components, of one radian for joints.
        expression_names: one name each.
        expression_bounds: lowest and highest sensible coefficient of each.
        neutral: the resting face's own expression coefficients.
        mean_color: albedo in [0, 1]; None where the file has no colours.
        color: offsets of one standard deviation.
        landmarks: positions by iBUG-68 number, from zero; those that the file or its format states.
        pivot: what the rig's own rotation of the head turns about.
        source: what the model is, with its paper.
    """

    mean: Float[np.ndarray, "V 3"]
    triangles: Int[np.ndarray, "F 3"]
    identity: Float[np.ndarray, "Ki V 3"]
    expression: Float[np.ndarray, "Ke V 3"]
    expression_names: Sequence[str]
    expression_bounds: Float[np.ndarray, "Ke 2"]
    neutral: Float[np.ndarray, " Ke"]
    mean_color: Float[np.ndarray, "V 3"] | None = None
    color: Float[np.ndarray, "Kc V 3"] | None = None
    landmarks: Mapping[int, Float[np.ndarray, "3"]] = field(default_factory=dict)
    pivot: Float[np.ndarray, "3"] = field(default_factory=lambda: np.zeros(3))
    source: str = ""

    def __post_init__(self) -> None:
        count = len(self.mean)
        bases = {"identity": self.identity, "expression": self.expression, "color": self.color}
        for name, basis in bases.items():
            if basis is not None and basis.shape[1:] != (count, 3):
                raise ValueError(
                    f"{name} basis is for {basis.shape[1]} vertices, the mean face has {count}"
                )
        if self.triangles.size and not 0 <= self.triangles.min() <= self.triangles.max() < count:
            raise ValueError("triangles refer to vertices that do not exist")
        if len(self.expression_names) != len(self.expression):
            raise ValueError("one name per expression basis vector is needed")
        for name, values in {"mean face": self.mean, **bases}.items():
            if values is not None and not np.isfinite(values).all():
                raise ValueError(f"{name} holds numbers that are not finite")


def column_basis(
    columns: Float[np.ndarray, "V3 K"], deviations: Float[np.ndarray, " K"], count: int
) -> Float[np.ndarray, "K V 3"]:
    """The first columns of a (3V, K) basis, scaled to one standard deviation, as offsets.

    Args:
        columns: unit vectors, x y z of each vertex after another.
        deviations: standard deviation of each.
        count: how many to keep.
    """
    kept = np.asarray(columns[:, :count], np.float32) * np.asarray(deviations[:count], np.float32)
    return np.ascontiguousarray(kept.T).reshape(kept.shape[1], -1, 3)


def symmetric_bounds(count: int, deviations: float = 5.0) -> Float[np.ndarray, "K 2"]:
    """Bounds of coefficients in standard deviations."""
    return np.tile([-deviations, deviations], (count, 1))
