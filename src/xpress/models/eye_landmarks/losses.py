"""What the eye landmark network is taught by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from xpress.morphable.signals import EYE_SIGNALS, eye_signals

SEEN = 0.08
"""Opening over the eye's width from which an iris is labelled where it is: below, lids hide it."""
OPENED = 0.16
"""Opening at which its label counts in full."""


@dataclass(frozen=True)
class EyeLandmarkLossWeights:
    """Weights of the terms.

    Attributes:
        points: mean distance of the points, eye widths.
        signals: mean error of the iris between the corners and of the opening, eye widths.
    """

    points: float = 1.0
    signals: float = 3.0


def iris_seen(target: Float[Tensor, "B 17 2"]) -> Float[Tensor, " B"]:
    """How far the label of an iris is to be trusted, 0 to 1, by the labelled opening."""
    opening = eye_signals(target)[:, EYE_SIGNALS.index("opening")]
    return ((opening - SEEN) / (OPENED - SEEN)).clamp(0, 1)


def landmark_terms(
    points: Float[Tensor, "B 17 2"],
    target: Float[Tensor, "B 17 2"],
) -> dict[str, Float[Tensor, ""]]:
    """Every term, not yet weighted; see `EyeLandmarkLossWeights`."""
    seen = iris_seen(target)
    distance = (points - target).square().sum(-1).add(1e-8).sqrt()
    distance = torch.cat([distance[:, :16], distance[:, 16:] * seen[:, None]], dim=1)
    error = (eye_signals(points) - eye_signals(target)).abs()
    weights = torch.stack([seen, seen, torch.ones_like(seen)], dim=1)
    return {
        "points": distance.mean(),
        "signals": (error * weights).mean(),
    }
