"""Losses of painting GANs; pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from xpress.models.gather import mean_count

ADVERSARIAL = ("lsgan", "hinge")


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
