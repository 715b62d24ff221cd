"""The generator of DFT-Net: one decoder moves the face's pixels, the other paints new ones.

Wang et al., "DFT-Net: Disentanglement of Face Deformation and Texture Synthesis for Expression
Editing", ICIP 2019, equations 1 to 5. Appearance flow: Zhou et al., ECCV 2016; bilinear sampling:
Jaderberg et al., "Spatial Transformer Networks", NIPS 2015. The paper leaves the layers open.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from xpress.models.expression_editing.generator import ExpressionGenerator, GeneratorOutput
from xpress.models.face_autoencoder.networks import convolution
from xpress.models.ganimation.networks import with_planes
from xpress.morphable.action_units import ACTION_UNITS

FLOW_UNIT = 1 / 16
"""Sides of the picture that an output of one moves a pixel by."""
KEEP = 2.0
"""Logit of the attention mask to start with: nearly everything is taken from the warped picture."""


class Residual(nn.Module):
    """Two 3×3 convolutions with batch norms, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            convolution(channels, channels, 3),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """The same shape."""
        return x + self.layers(x)


class Decoder(nn.Module):
    """From an eighth of the resolution to a half, beside the encoder's maps.

    Args:
        channels: of the result.
        skips: take the encoder's map of the same size at each doubling.
    """

    def __init__(self, channels: int, skips: bool) -> None:
        super().__init__()
        self.skips = skips
        reduce, mix = [], []
        for wide in (2 * channels, channels):
            # reduced before it is doubled, where that costs a quarter
            reduce.append(convolution(2 * wide, wide, 1))
            mix.append(convolution(2 * wide if skips else wide, wide, 3))
        self.reduce, self.mix = nn.ModuleList(reduce), nn.ModuleList(mix)

    def forward(self, code: Tensor, maps: list[Tensor]) -> Float[Tensor, "B C h w"]:
        """The encoder's deepest map, and those before it, the larger first."""
        x = code
        for reduce, mix, skip in zip(self.reduce, self.mix, reversed(maps), strict=True):
            x = F.interpolate(reduce(x), scale_factor=2.0, mode="nearest")
            x = mix(torch.cat([skip, x], dim=1) if self.skips else x)
        return x


class DFTNetGenerator(ExpressionGenerator):
    """Picture and action units to a flow, an attention mask and a texture.

    Batch norms, not instance norms: they do not take the constant planes of the action units away,
    and an exported network has none of them left. Flow and attention are decoded at half the
    resolution, where most of the time is saved: they are smooth. The texture's last layers see the
    picture itself.

    Args:
        channels: at half the resolution; doubled at each of two more halvings.
        blocks: residual blocks, at an eighth of the resolution.
        texture_channels: of the texture decoder at full resolution.
        units: how many action units.
        flow_skips: the flow decoder too sees the encoder's maps; in the paper only the texture
            decoder does. Lids are finer than an eighth of the resolution.
    """

    stride = 8

    def __init__(
        self,
        channels: int = 64,
        blocks: int = 6,
        texture_channels: int = 16,
        units: int = len(ACTION_UNITS),
        flow_skips: bool = True,
    ) -> None:
        super().__init__()
        c, t = channels, texture_channels
        self.encoder = nn.ModuleList(
            [
                convolution(3 + units, c, 5, 2),
                convolution(c, 2 * c, 3, 2),
                nn.Sequential(
                    convolution(2 * c, 4 * c, 3, 2), *(Residual(4 * c) for _ in range(blocks))
                ),
            ]
        )
        self.flow_decoder = Decoder(c, flow_skips)
        self.flow_head = nn.Conv2d(c, 3, 3, padding=1)
        nn.init.zeros_(self.flow_head.weight)
        assert self.flow_head.bias is not None
        with torch.no_grad():
            self.flow_head.bias.copy_(torch.tensor([0.0, 0.0, KEEP]))
        self.texture_decoder = Decoder(c, skips=True)
        self.thin = convolution(c, t, 1)
        self.paint = nn.Sequential(convolution(3 + t, t, 3), nn.Conv2d(t, 3, 3, padding=1))

    def forward(
        self, image: Float[Tensor, "B 3 H W"], units: Float[Tensor, "B U"]
    ) -> tuple[Float[Tensor, "B 2 H W"], Float[Tensor, "B 1 H W"], Float[Tensor, "B 3 H W"]]:
        """Flow, attention and texture; a new network's flow is zero.

        Args:
            image: RGB in [0, 1]; sides are multiples of `stride`.
            units: wanted action units in [0, 1].

        Returns:
            The backward flow (x, y) in pixels (see `warp`); the attention mask in [0, 1]: the
            weight of the warped picture in the result; the texture, RGB in [0, 1].
        """
        maps = []
        x = with_planes(image, units)
        for stage in self.encoder:
            x = stage(x)
            maps.append(x)
        code = maps.pop()
        moved = self.flow_head(self.flow_decoder(code, maps))
        moved = F.interpolate(moved, scale_factor=2.0, mode="bilinear", align_corners=False)
        flow, attention = moved.split([2, 1], dim=1)
        painted = self.thin(self.texture_decoder(code, maps))
        painted = F.interpolate(painted, scale_factor=2.0, mode="nearest")
        texture = self.paint(torch.cat([image * 2 - 1, painted], dim=1))
        unit = FLOW_UNIT * image.shape[3]
        return flow * unit, torch.sigmoid(attention), torch.sigmoid(texture)

    def edit(self, image: Float[Tensor, "B 3 H W"], units: Float[Tensor, "B U"]) -> GeneratorOutput:
        """The layers and the result (equations 3 and 5); see `forward`."""
        flow, attention, texture = self(image, units)
        return GeneratorOutput.blend(texture, attention, warp(image, flow), flow)


def warp(
    image: Float[Tensor, "B C H W"], flow: Float[Tensor, "B 2 H W"]
) -> Float[Tensor, "B C H W"]:
    """Bilinear sampling of a picture along a backward flow (equation 3).

    Args:
        image: any channels.
        flow: (x, y) in pixels: the result at p is the picture at p + flow(p). Pixel (0, 0) is the
            centre of the first pixel (`align_corners=False`); beyond the border the picture goes
            on with its outermost pixels.
    """
    height, width = image.shape[2:]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype) + 0.5
    x = torch.arange(width, device=flow.device, dtype=flow.dtype) + 0.5
    grid_x = (x + flow[:, 0]) * (2 / width) - 1
    grid_y = (y[:, None] + flow[:, 1]) * (2 / height) - 1
    grid = torch.stack([grid_x, grid_y], dim=-1)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)
