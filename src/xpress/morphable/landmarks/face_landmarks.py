"""The face model reduced to its landmarks: about 200 points instead of 23,000 vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from xpress.arrays import Array, to_numpy
from xpress.morphable.face_model import LinearFaceModel, combine

OUTER_EYE_CORNERS = (36, 45)
"""iBUG-68 numbers of the outer eye corners; their distance normalises errors."""


class LinearLandmarks:
    """The linear model evaluated at its landmarks only.

    The landmark embedding is linear in the vertices, so bases and embedding are multiplied once
    and a batch costs a small matrix product. `FaceLandmarks` holds numpy arrays, `LandmarkModel`
    torch tensors; `numpy` gives the first.
    """

    mean: Float[Array, "L 3"]
    identity_basis: Float[Array, "Ki L 3"]
    expression_basis: Float[Array, "Ke L 3"]
    eye_distance: float

    def points(
        self, identity: Float[Array, "B Ki"], expression: Float[Array, "B Ke"]
    ) -> Float[Array, "B L 3"]:
        """Landmarks in model space: the 68, then the contour points."""
        offsets = combine(identity, self.identity_basis)
        return self.mean + offsets + combine(expression, self.expression_basis)

    def numpy(self) -> FaceLandmarks:
        """The same in numpy."""
        return FaceLandmarks(
            to_numpy(self.mean),
            to_numpy(self.identity_basis),
            to_numpy(self.expression_basis),
            self.eye_distance,
        )


@dataclass(frozen=True, eq=False)
class FaceLandmarks(LinearLandmarks):
    """`LinearLandmarks` in numpy, as the frame loop reads it.

    Attributes:
        mean: mean shape.
        identity_basis: offsets of one standard deviation.
        expression_basis: offsets at full activation.
        eye_distance: of the mean face's outer eye corners, model units.
    """

    mean: Float[np.ndarray, "L 3"]
    identity_basis: Float[np.ndarray, "Ki L 3"]
    expression_basis: Float[np.ndarray, "Ke L 3"]
    eye_distance: float

    @classmethod
    def of(cls, model: LinearFaceModel) -> FaceLandmarks:
        """All landmarks of a face model."""
        return cls(*reduced(model.numpy()))


def reduced(model: LinearFaceModel) -> tuple[Array, Array, Array, float]:
    """Mean, identity basis and expression basis at the landmarks, and the eye distance."""
    mean = model.landmark_points(model.mean[None])[0]
    first, second = mean[list(OUTER_EYE_CORNERS)]
    return (
        mean,
        model.landmark_points(model.identity_basis),
        model.landmark_points(model.expression_basis),
        float(((first - second) ** 2).sum() ** 0.5),
    )
