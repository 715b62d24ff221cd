"""A U-Net of MobileNetV2's inverted residuals, which paints crops in milliseconds on a CPU.

Inverted residuals: Sandler et al., "MobileNetV2", CVPR 2018. Skips: Ronneberger et al., "U-Net",
MICCAI 2015.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from xpress.models.face_autoencoder.networks import InvertedResidual, convolution


class MobileUNet(nn.Module):
    """Maps of a picture's size from maps of a picture's size.

    Each stage of the encoder halves the map; each of the decoder doubles it and takes the
    encoder's map of the same size beside its own. The last doubling is a pixel shuffle: full
    resolution is where a CPU's time goes.

    Args:
        inputs: channels taken.
        outputs: channels given, without an activation.
        channels: of the maps at full (after the last doubling), half, quarter … resolution.
        repeats: blocks of each stage of the encoder.
        expansion: of the inverted residuals.
        hidden: channels of the last map but one; four more than at full resolution by default.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        channels: Sequence[int],
        repeats: Sequence[int],
        expansion: int = 3,
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        if len(repeats) != len(channels) - 1:
            raise ValueError(f"{len(channels)} channels need {len(channels) - 1} repeats")
        self.stride = 2 ** len(repeats)
        down, reduce, up = [], [], []
        for number, count in enumerate(repeats):
            wide, deep = channels[number], channels[number + 1]
            if number == 0:
                first: nn.Module = convolution(inputs, deep, 3, 2)
            else:
                first = InvertedResidual(wide, deep, 2, expansion)
            rest = [InvertedResidual(deep, deep, 1, expansion) for _ in range(count - 1)]
            down.append(nn.Sequential(first, *rest))
        for number in reversed(range(1, len(repeats))):
            wide, deep = channels[number], channels[number + 1]
            # Reduced before it is doubled, where that costs a quarter.
            reduce.append(convolution(deep, wide, 1))
            up.append(
                nn.Sequential(
                    InvertedResidual(2 * wide, wide, 1, 1),
                    InvertedResidual(wide, wide, 1, expansion),
                )
            )
        self.down, self.reduce, self.up = map(nn.ModuleList, (down, reduce, up))
        self.shuffle = nn.Sequential(
            convolution(channels[1], 4 * channels[0], 1), nn.PixelShuffle(2)
        )
        hidden = hidden or channels[0] + 4
        self.paint = nn.Sequential(
            convolution(inputs + channels[0], hidden, 3),
            nn.Conv2d(hidden, outputs, 3, padding=1),
        )

    def maps(self, full: Float[Tensor, "B inputs H W"]) -> Float[Tensor, "B outputs H W"]:
        """Run the network; sides are multiples of `stride`."""
        skips = []
        x = full
        for stage in self.down:
            x = stage(x)
            skips.append(x)
        for reduce, stage, skip in zip(self.reduce, self.up, reversed(skips[:-1]), strict=True):
            x = F.interpolate(reduce(x), scale_factor=2.0, mode="nearest")
            x = stage(torch.cat([skip, x], dim=1))
        return self.paint(torch.cat([full, self.shuffle(x)], dim=1))
