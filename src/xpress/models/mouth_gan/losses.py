"""Losses of the mouth GAN; pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class MouthLossWeights:
    """Weight of each term; zero switches it off and saves its cost.

    Attributes:
        l1: absolute difference inside the hole.
        boundary: how much more the hole's edge counts than its middle.
        surroundings: L1 outside, next to the edge, where the painting is faded in.
        perceptual: LPIPS of the crop around the hole; off where `MouthGAN` is given no network.
        adversarial_global: the global discriminator's verdict.
        adversarial_local: the local one's.
        features_global: differences of the global discriminator's layers.
        features_local: of the local one's.
    """

    l1: float = 45.0
    boundary: float = 2.0
    surroundings: float = 0.3
    perceptual: float = 10.0
    adversarial_global: float = 1.0
    adversarial_local: float = 1.0
    features_global: float = 10.0
    features_local: float = 10.0


def boundary_weight(
    hole: Float[Tensor, "B 1 H W"],
    distance: Float[Tensor, "B 1 H W"],
    boundary: float,
    surroundings: float,
    reach: float,
) -> Float[Tensor, "B 1 H W"]:
    """Weight of each pixel in the L1 loss.

    Args:
        hole: one inside.
        distance: to the hole's edge, pixels.
        boundary: added inside, at the edge.
        surroundings: outside, at the edge.
        reach: pixels over which both fall to 1/e.
    """
    near = torch.exp(-distance / reach)
    return hole * (1 + boundary * near) + (1 - hole) * surroundings * near
