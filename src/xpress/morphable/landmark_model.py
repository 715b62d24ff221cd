"""The face model reduced to its landmarks: about 200 points instead of 23,000 vertices."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from xpress.morphable.model import MorphableModel

OUTER_EYE_CORNERS = (36, 45)
"""iBUG-68 numbers of the outer eye corners; their distance normalises errors."""


class LandmarkModel(nn.Module):
    """The linear model evaluated at its landmarks only; see `of`.

    The landmark embedding is linear in the vertices, so bases and embedding are multiplied once
    and a batch costs a small matrix product.
    """

    def __init__(
        self,
        mean: Float[Tensor, "L 3"],
        identity_basis: Float[Tensor, "Ki L 3"],
        expression_basis: Float[Tensor, "Ke L 3"],
        eye_distance: float,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("identity_basis", identity_basis, persistent=False)
        self.register_buffer("expression_basis", expression_basis, persistent=False)
        self.eye_distance = eye_distance

    mean: Tensor
    identity_basis: Tensor
    expression_basis: Tensor

    @classmethod
    def of(cls, model: MorphableModel) -> LandmarkModel:
        """All landmarks of a face model; `eye_distance` is its outer eye corners', model units."""
        mean = model.landmark_points(model.mean[None])[0]
        first, second = mean[list(OUTER_EYE_CORNERS)]
        return cls(
            mean,
            model.landmark_points(model.identity_basis),
            model.landmark_points(model.expression_basis),
            float(torch.linalg.vector_norm(first - second)),
        )

    def select(self, landmarks: Tensor) -> LandmarkModel:
        """Some of the landmarks, by mask or index."""
        return LandmarkModel(
            self.mean[landmarks],
            self.identity_basis[:, landmarks],
            self.expression_basis[:, landmarks],
            self.eye_distance,
        )

    def points(
        self, identity: Float[Tensor, "B Ki"], expression: Float[Tensor, "B Ke"]
    ) -> Float[Tensor, "B L 3"]:
        """Landmarks in model space: the 68, then the contour points."""
        return (
            self.mean
            + torch.tensordot(identity, self.identity_basis, dims=1)
            + torch.tensordot(expression, self.expression_basis, dims=1)
        )
