"""Losses of the eye GAN that the mouth's do not have; pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class EyeLossWeights:
    """Weight of each term; zero switches it off and saves its cost.

    Attributes:
        l1: absolute difference in the region.
        opening: how much more the eye's opening and its rim count than the skin.
        perceptual: LPIPS of the region.
        smoothness: differences of what is added to the flow between neighbouring pixels.
        mask: mean of the mask, so that the reference's own pixels are used where they serve.
        adversarial: the discriminator's verdict.
        features: differences of the discriminator's layers.
    """

    l1: float = 10.0
    opening: float = 2.0
    perceptual: float = 1.0
    smoothness: float = 0.02
    mask: float = 0.1
    adversarial: float = 0.0
    features: float = 0.0


def total_variation(flow: Float[Tensor, "B 2 H W"]) -> Float[Tensor, ""]:
    """Mean absolute difference between neighbours along x, plus that along y."""
    across = (flow[..., 1:] - flow[..., :-1]).abs().mean()
    return across + (flow[..., 1:, :] - flow[..., :-1, :]).abs().mean()
