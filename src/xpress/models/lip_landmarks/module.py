"""Training of the lip landmark network (Lightning)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from xpress.media.lip_crop import LIP_WIDTH, MIDDLE, POINTS, SIZE
from xpress.models.eye_landmarks.module import EyeLandmarks
from xpress.models.lip_landmarks.losses import LipLandmarkLossWeights, lip_terms
from xpress.models.lip_landmarks.metrics import lip_metrics


class LipLandmarks(EyeLandmarks):
    """Reads the lips of single mouths; takes what `EyeLandmarks` takes, and is trained as it is."""

    crop_size, point_count = (SIZE, SIZE), POINTS
    default_weights = LipLandmarkLossWeights

    def terms(
        self, points: Float[Tensor, "B 40 2"], target: Float[Tensor, "B 40 2"]
    ) -> dict[str, Tensor]:
        """Losses by name."""
        return lip_terms(points, target)

    def figures(
        self,
        points: Float[Tensor, "B 40 2"],
        target: Float[Tensor, "B 40 2"],
        group: Int[Tensor, " B"],
    ) -> dict[str, float]:
        """Accuracy over a whole set."""
        return lip_metrics(points, target, group)

    def places(self, points: Float[np.ndarray, "P 2"]) -> Float[np.ndarray, "P 2"]:
        """Points in pixels of the crop."""
        return points * LIP_WIDTH + MIDDLE
