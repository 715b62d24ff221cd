"""Networks of the mouth GAN: a MobileNet U-Net and patch discriminators.

Patch discriminators whose layers are compared: Wang et al., "High-Resolution Image
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

from xpress.models.mobile_unet import MobileUNet


class MouthGenerator(MobileUNet):
    """Paints the hole of a mouth crop.

    Args:
        channels: see `MobileUNet`.
        repeats: see `MobileUNet`.
        expansion: see `MobileUNet`.
    """

    def __init__(
        self,
        channels: Sequence[int] = (8, 20, 40, 96, 192),
        repeats: Sequence[int] = (1, 2, 3, 3),
        expansion: int = 3,
    ) -> None:
        super().__init__(4, 3, channels, repeats, expansion)

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
        return torch.sigmoid(self.maps(torch.cat([filled * 2 - 1, hole], dim=1)))


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
