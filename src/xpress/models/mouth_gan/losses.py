"""Losses of the mouth GAN; pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from xpress.models.gather import mean_count

ADVERSARIAL = ("lsgan", "hinge")


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


def weighted_l1(
    output: Float[Tensor, "B 3 H W"],
    truth: Float[Tensor, "B 3 H W"],
    weight: Float[Tensor, "B 1 H W"],
) -> Float[Tensor, ""]:
    """Weighted mean absolute difference over the batch: a wide mouth counts more than a slit.

    In several processes the mean of the results is that over all their pixels.
    """
    difference = (output - truth).abs().mean(1, keepdim=True)
    return (difference * weight).sum() / mean_count(weight.sum())


def discriminator_loss(real: Tensor, fake: Tensor, kind: str) -> Float[Tensor, ""]:
    """What a discriminator minimises, from its logits of real and painted pictures.

    LSGAN: Mao et al., ICCV 2017, targets 1 and 0. Hinge: Lim and Ye, "Geometric GAN", 2017.
    """
    if kind == "lsgan":
        return ((real - 1).square().mean() + fake.square().mean()) / 2
    return (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2


def generator_loss(fake: Tensor, kind: str) -> Float[Tensor, ""]:
    """What the generator minimises, from a discriminator's logits of painted pictures."""
    return (fake - 1).square().mean() if kind == "lsgan" else -fake.mean()


def feature_difference(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Float[Tensor, ""]:
    """Mean over layers of the mean absolute difference (pix2pixHD, equation 4); real is fixed."""
    terms = [F.l1_loss(f, r.detach()) for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).mean()
