"""The face model reduced to its landmarks, in torch."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from xpress.morphable.landmarks.face_landmarks import LinearLandmarks, reduced
from xpress.morphable.model import MorphableModel


class LandmarkModel(LinearLandmarks, nn.Module):
    """`LinearLandmarks` whose arrays are tensors.

    Args:
        mean: mean shape.
        identity_basis: offsets of one standard deviation.
        expression_basis: offsets at full activation.
        eye_distance: of the mean face's outer eye corners, model units.
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
        """All landmarks of a face model."""
        return cls(*reduced(model))

    def select(self, landmarks: Tensor) -> LandmarkModel:
        """Some of the landmarks, by mask or index."""
        return LandmarkModel(
            self.mean[landmarks],
            self.identity_basis[:, landmarks],
            self.expression_basis[:, landmarks],
            self.eye_distance,
        )
