"""Networks of the mouth GAN: a MobileNet U-Net and patch discriminators.

Inverted residuals: Sandler et al., "MobileNetV2", CVPR 2018. Skips: Ronneberger et al., "U-Net",
MICCAI 2015. Patch discriminators whose layers are compared: Wang et al., "High-Resolution Image
Synthesis … with Conditional GANs" (pix2pixHD), CVPR 2018. A global and a local one: Iizuka et al.,
"Globally and Locally Consistent Image Completion", SIGGRAPH 2017.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from xpress.models.face_autoencoder.networks import InvertedResidual, convolution


class MouthGenerator(nn.Module):
    """Paints the hole of a mouth crop.

    Each stage of the encoder halves the map; each of the decoder doubles it and takes the
    encoder's map of the same size beside its own. The last doubling is a pixel shuffle: full
    resolution is where a CPU's time goes.

    Args:
        channels: of the maps at full (after the last doubling), half, quarter … resolution.
        repeats: blocks of each stage of the encoder.
        expansion: of the inverted residuals.
    """

    def __init__(
        self,
        channels: Sequence[int] = (8, 20, 40, 96, 192),
        repeats: Sequence[int] = (1, 2, 3, 3),
        expansion: int = 3,
    ) -> None:
        super().__init__()
        if len(repeats) != len(channels) - 1:
            raise ValueError(f"{len(channels)} channels need {len(channels) - 1} repeats")
        self.stride = 2 ** len(repeats)
        down, reduce, up = [], [], []
        for number, count in enumerate(repeats):
            wide, deep = channels[number], channels[number + 1]
            if number == 0:
                first: nn.Module = convolution(4, deep, 3, 2)
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
        self.paint = nn.Sequential(
            convolution(4 + channels[0], channels[0] + 4, 3),
            nn.Conv2d(channels[0] + 4, 3, 3, padding=1),
        )

    def forward(
        self, filled: Float[Tensor, "B 3 H W"], hole: Float[Tensor, "B 1 H W"]
    ) -> Float[Tensor, "B 3 H W"]:
        """Paint crops.

        Args:
            filled: RGB in [0, 1] with the hole white; sides are multiples of `stride`.
            hole: one inside.

        Returns:
            RGB in [0, 1], of the whole crop; only the hole's part is used, and a rim around it
            where it is faded in.
        """
        full = torch.cat([filled * 2 - 1, hole], dim=1)
        maps = []
        x = full
        for stage in self.down:
            x = stage(x)
            maps.append(x)
        for reduce, stage, skip in zip(self.reduce, self.up, reversed(maps[:-1]), strict=True):
            x = F.interpolate(reduce(x), scale_factor=2.0, mode="nearest")
            x = stage(torch.cat([skip, x], dim=1))
        x = torch.cat([full, self.shuffle(x)], dim=1)
        return torch.sigmoid(self.paint(x))


class PatchDiscriminator(nn.Module):
    """Judges patches: strided convolutions with spectral norm, and a map of logits.

    Args:
        inputs: channels of the picture.
        channels: of each halving.
    """

    def __init__(self, inputs: int, channels: Sequence[int] = (32, 64, 128, 256)) -> None:
        super().__init__()
        layers = []
        for outputs in channels:
            strided = spectral_norm(nn.Conv2d(inputs, outputs, 4, 2, 1))
            layers.append(nn.Sequential(strided, nn.LeakyReLU(0.2)))
            inputs = outputs
        self.layers = nn.ModuleList(layers)
        self.logits = spectral_norm(nn.Conv2d(inputs, 1, 3, padding=1))

    def forward(self, image: Float[Tensor, "B C H W"]) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, 1, h, w), and the map of each layer."""
        features = []
        x = image * 2 - 1
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return self.logits(x), features


def crop_boxes(
    image: Float[Tensor, "B C H W"], boxes: Float[Tensor, "B 4"], size: tuple[int, int]
) -> Float[Tensor, "B C h w"]:
    """Boxes of pictures, resampled to one size.

    Args:
        image: pictures.
        boxes: x0, y0, x1, y1 in pixels, edges of the pixels' areas (a whole picture is 0, 0, W, H).
        size: (height, width) of the result.
    """
    height, width = image.shape[2:]
    scale = boxes.new_tensor([width, height, width, height])
    x0, y0, x1, y1 = (boxes / scale * 2 - 1).unbind(1)
    zero = torch.zeros_like(x0)
    rows = [
        torch.stack([(x1 - x0) / 2, zero, (x0 + x1) / 2], dim=1),
        torch.stack([zero, (y1 - y0) / 2, (y0 + y1) / 2], dim=1),
    ]
    grid = F.affine_grid(
        torch.stack(rows, dim=1), [len(image), image.shape[1], *size], align_corners=False
    )
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)
