"""The critic that GANimation and DFT-Net train against: patches and action units.

Gulrajani et al., "Improved Training of Wasserstein GANs", NIPS 2017; patches: Isola et al.,
"Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from xpress.morphable.action_units import ACTION_UNITS


class ExpressionCritic(nn.Module):
    """Strided convolutions, each halving the map and doubling its channels, and two heads.

    No norms: the gradient penalty is one of each picture by itself.

    Args:
        size: pixels of the picture's side, a multiple of 2^depth.
        channels: of the first convolution; 64 as published, 2048 after the sixth.
        depth: how many convolutions; smaller pictures need fewer than the published six.
        units: how many action units.

    Raises:
        ValueError: so many halvings do not fit the size.
    """

    def __init__(
        self, size: int = 128, channels: int = 64, depth: int = 6, units: int = len(ACTION_UNITS)
    ) -> None:
        super().__init__()
        if size % 2**depth:
            raise ValueError(f"size {size} is no multiple of {2**depth}")
        layers: list[nn.Module] = []
        inputs = 3
        for number in range(depth):
            outputs = channels * 2**number
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.01)]
            inputs = outputs
        self.body = nn.Sequential(*layers)
        self.patches = nn.Conv2d(inputs, 1, 3, padding=1, bias=False)
        self.units = nn.Conv2d(inputs, units, size // 2**depth, bias=False)

    def forward(
        self, picture: Float[Tensor, "B 3 H W"]
    ) -> tuple[Float[Tensor, "B 1 h w"], Float[Tensor, "B U"]]:
        """A verdict on each patch (larger is more real), and the action units that are seen.

        Args:
            picture: RGB in [-1, 1].
        """
        x = self.body(picture)
        return self.patches(x), self.units(x).flatten(1)


def score(patches: Float[Tensor, "B 1 h w"]) -> Float[Tensor, " B"]:
    """The critic's value of each picture: the mean of its patches."""
    return patches.mean((1, 2, 3))


def interpolates(
    real: Float[Tensor, "B 3 H W"], fake: Float[Tensor, "B 3 H W"], share: Float[Tensor, " B"]
) -> Float[Tensor, "B 3 H W"]:
    """Pictures between real and generated ones, where the gradient is penalised.

    Args:
        real: pictures.
        fake: as many.
        share: of the generated one, in [0, 1], one number a picture.
    """
    between = torch.lerp(real, fake, share[:, None, None, None])
    return between.detach().requires_grad_()
