"""The face model reduced to its landmarks: about 200 points instead of 23,000 vertices."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from xpress.morphable.model import MorphableModel

OUTER_EYE_CORNERS = (36, 45)
"""iBUG-68 numbers of the outer eye corners; their distance normalises errors."""


class LandmarkModel(nn.Module):
    """The linear model evaluated at its landmarks only.

    The landmark embedding is linear in the vertices, so bases and embedding are multiplied once
    and a batch costs a small matrix product.
    """

    def __init__(self, model: MorphableModel) -> None:
        super().__init__()

        def embed(basis: Tensor) -> Tensor:
            return model.landmark_points(basis)

        self.register_buffer("mean", embed(model.mean[None])[0], persistent=False)
        self.register_buffer(
            "identity_basis", embed(model.identity_basis), persistent=False
        )
        self.register_buffer(
            "expression_basis", embed(model.expression_basis), persistent=False
        )

    mean: Tensor
    identity_basis: Tensor
    expression_basis: Tensor

    @property
    def eye_distance(self) -> float:
        """Distance of the mean face's outer eye corners in model units."""
        first, second = self.mean[list(OUTER_EYE_CORNERS)]
        return float(torch.linalg.vector_norm(first - second))

    def points(
        self, identity: Float[Tensor, "B Ki"], expression: Float[Tensor, "B Ke"]
    ) -> Float[Tensor, "B L 3"]:
        """Landmarks in model space: the 68, then the contour points."""
        return (
            self.mean
            + torch.tensordot(identity, self.identity_basis, dims=1)
            + torch.tensordot(expression, self.expression_basis, dims=1)
        )
