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

from xpress.media.mouth_crop import INPUTS
from xpress.models.painting.mobile_unet import MobileUNet

PLACES = slice(4, 6)
"""Of the rows of teeth among the channels that are given."""
DOUBT, TRUST = -2.0, 5.0
"""Logarithm of the share in which a reference is taken over at first, where the painting's is
zero: beside its row of teeth, and what is added on the row."""
MOST_TRUST = 6.0
"""Upper limit of that logarithm."""


class MouthGenerator(MobileUNet):
    """Paints the hole of a mouth crop.

    It is told where the rows of teeth are, and may have seen them in another picture: what it
    takes over from there it takes over pixel by pixel.

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
        super().__init__(
            sum(INPUTS.values()), 5, channels, repeats, expansion, hidden=channels[0] + 8
        )
        self._trust_rows()

    @torch.no_grad()
    def _trust_rows(self) -> None:
        """Start by taking each layer of the reference over where its row of teeth is.

        The last two hidden channels hand the rows on; upper teeth stand before lower ones.
        """
        hidden, last = self.paint
        assert isinstance(hidden, nn.Sequential)
        assert isinstance(last, nn.Conv2d)
        first = hidden[0]
        assert isinstance(first, nn.Conv2d)
        assert last.bias is not None
        first.weight[-2:] = 0
        last.weight[3:] = 0
        last.bias[3:] = DOUBT
        for number in range(2):
            first.weight[number - 2, PLACES.start + number, 1, 1] = 1
            last.weight[3 + number, number - 2, 1, 1] = TRUST
        last.weight[4, -2, 1, 1] = -TRUST

    def forward(
        self,
        filled: Float[Tensor, "B 3 H W"],
        hole: Float[Tensor, "B 1 H W"],
        teeth: Float[Tensor, "B 2 H W"],
        reference: Float[Tensor, "B 8 H W"],
    ) -> Float[Tensor, "B 5 H W"]:
        """Paint crops.

        Args:
            filled: RGB in [0, 1] with the hole white; sides are multiples of `stride`.
            hole: one inside.
            teeth: one where the upper and the lower row are, whatever hides them; zero where
                that is not known.
            reference: the same person's mouth in another picture, see `MouthBatch`; zero without.

        Returns:
            RGB in [0, 1], of the whole crop; only the hole's part is used, and a rim around it
            where it is faded in. Then the share of it that comes from each layer of the reference.
        """
        upper, lower = reference.split(4, dim=1)
        colors = [r[:, :3] * 2 - r[:, 3:] for r in (upper, lower)]  # in [-1, 1] where shown
        shown = [r[:, 3:] for r in (upper, lower)]
        full = torch.cat([filled * 2 - 1, hole, teeth, *colors, *shown], dim=1)
        painted, trust = self.maps(full).split((3, 2), dim=1)
        # A softmax of what is painted and what is shown, where something is shown.
        first, second = trust.clamp(max=MOST_TRUST).exp().split(1, dim=1)
        weights = torch.cat([first * shown[0], second * shown[1]], dim=1)
        taken = torch.sigmoid(painted) + first * upper[:, :3] + second * lower[:, :3]
        return torch.cat([taken, weights], dim=1) / (1 + weights.sum(1, keepdim=True))


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
