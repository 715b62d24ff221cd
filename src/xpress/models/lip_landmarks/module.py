"""Training of the lip landmark network (Lightning)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from pydantic import PositiveFloat
from torch import Tensor

from xpress.media.lip_crop import LIP_WIDTH, MIDDLE, POINTS, SIZE
from xpress.models.eye_landmarks.module import EyeLandmarks
from xpress.models.lip_landmarks.losses import LipLandmarkLossWeights, lip_terms
from xpress.models.lip_landmarks.metrics import lip_metrics


class LipLandmarks(EyeLandmarks):
    """Reads the lips of single mouths; trained as `EyeLandmarks` is.

    Args:
        channels: of the network, as its repeats and the hidden numbers.
        repeats: see `LandmarkNetwork`.
        hidden: likewise.
        dropout: likewise.
        weights: of the losses, or what makes them.
        learning_rate: the highest of one cycle.
        weight_decay: of convolutions and matrices.
        ema_decay: of the moving average, which is validated and exported.
        init_from: checkpoint or safetensors to start from.
    """

    crop_size, point_count = (SIZE, SIZE), POINTS

    def __init__(
        self,
        channels: Sequence[int] = (16, 32, 48, 64),
        repeats: Sequence[int] = (1, 2, 2, 1),
        hidden: int = 128,
        dropout: float = 0.1,
        weights: Any = LipLandmarkLossWeights,
        learning_rate: PositiveFloat = 3e-3,
        weight_decay: float = 0.02,
        ema_decay: float = 0.995,
        init_from: str | None = None,
    ) -> None:
        super().__init__(
            channels,
            repeats,
            hidden,
            dropout,
            weights,
            learning_rate,
            weight_decay,
            ema_decay,
            init_from,
        )

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
