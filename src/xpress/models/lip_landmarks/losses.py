"""What the lip landmark network is taught by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

LIP_SIGNALS = ("opening", "width", "upper", "lower", "right_corner", "left_corner")
"""What `lip_signals` measures."""
INNER = 20
"""First point of the inner outline."""
UPPER, LOWER = [4, 5, 6], [16, 15, 14]
"""Middle points of an outline's upper and lower side, opposite ones at the same place."""


@dataclass(frozen=True)
class LipLandmarkLossWeights:
    """Weights of the terms.

    Attributes:
        points: mean distance of the points, lip widths.
        signals: mean error of `lip_signals`, lip widths.
    """

    points: float = 1.0
    signals: float = 2.0


def lip_signals(points: Float[Tensor, "B 40 2"]) -> Float[Tensor, "B 6"]:
    """Opening between the inner lips, distance of the corners, and heights over their middle.

    The distance has a sign: swapped corners are as far apart, and would never be left again.
    Heights are of both lips' outer edges and of both corners, upwards; the corners' over the
    middle of all points.
    """
    corners = points[:, [0, 10]]
    middle, across = corners.mean(1), corners[:, 1, 0] - corners[:, 0, 0]
    y = points[..., 1]
    inner_upper = y[:, [INNER + n for n in UPPER]].mean(1)
    inner_lower = y[:, [INNER + n for n in LOWER]].mean(1)
    heights = y.mean(1, keepdim=True) - corners[..., 1]
    return torch.stack(
        [
            inner_lower - inner_upper,
            across,
            middle[:, 1] - y[:, UPPER].mean(1),
            middle[:, 1] - y[:, LOWER].mean(1),
            heights[:, 0],
            heights[:, 1],
        ],
        dim=1,
    )


def lip_terms(
    points: Float[Tensor, "B 40 2"], target: Float[Tensor, "B 40 2"]
) -> dict[str, Float[Tensor, ""]]:
    """Every term, not yet weighted; see `LipLandmarkLossWeights`."""
    distance = (points - target).square().sum(-1).add(1e-8).sqrt()
    return {
        "points": distance.mean(),
        "signals": (lip_signals(points) - lip_signals(target)).abs().mean(),
    }
