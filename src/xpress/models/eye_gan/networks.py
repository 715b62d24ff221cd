"""The eye painter: how an eye's own pixels move, and what is painted where it shows none.

A flow into the reference, a mask and a colour: Pumarola et al., "GANimation", ECCV 2018; Siarohin
et al., "First Order Motion Model", NeurIPS 2019. Flow and mask are smooth, so they may be applied
to pictures of any size, which keep their own sharpness.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from xpress.media.eye_crop import FLOW_SCALE
from xpress.models.painting.mobile_unet import MobileUNet

MAPS = 4
"""Channels that tell geometry: the reference's lids and iris, the wanted lids and iris."""
START = -1.0
"""Logit of the mask before training: the reference's own pixels first."""


class EyeGenerator(MobileUNet):
    """Edits an eye crop; see `xpress.media.eye_crop`.

    Args:
        channels: see `MobileUNet`.
        repeats: see `MobileUNet`.
        expansion: see `MobileUNet`.
    """

    def __init__(
        self,
        channels: Sequence[int] = (8, 24, 48, 96),
        repeats: Sequence[int] = (1, 2, 3),
        expansion: int = 3,
    ) -> None:
        super().__init__(9 + MAPS, 6, channels, repeats, expansion)
        last = self.paint[1]
        with torch.no_grad():
            last.weight.mul_(0.3)  # type: ignore[operator]
            last.bias.copy_(torch.tensor([0.0, 0.0, START, 0.0, 0.0, 0.0]))  # type: ignore[operator]

    def forward(
        self,
        around: Float[Tensor, "B 3 H W"],
        reference: Float[Tensor, "B 3 H W"],
        moved: Float[Tensor, "B 3 H W"],
        maps: Float[Tensor, "B 4 H W"],
    ) -> Float[Tensor, "B 6 H W"]:
        """Edits.

        Args:
            around: RGB in [0, 1], 0.5 in the region that is painted.
            reference: RGB in [0, 1], another picture of the same eye, or the same one.
            moved: the reference under `lid_flow`.
            maps: `lid_map` and `iris_map` of the reference and then of the wanted eye.

        Returns:
            What is added to that flow (x, y) over `FLOW_SCALE`, the mask's logit, the colour's
            logits.
        """
        pictures = torch.cat([around, reference, moved], dim=1)
        return self.maps(torch.cat([pictures * 2 - 1, maps], dim=1))


def edited(
    edit: Float[Tensor, "B 6 H W"],
    reference: Float[Tensor, "B 3 H W"],
    flow: Float[Tensor, "B 2 H W"],
) -> tuple[Float[Tensor, "B 3 H W"], Float[Tensor, "B 2 H W"], Float[Tensor, "B 1 H W"]]:
    """The painted crop from the generator's output.

    Args:
        edit: the output.
        reference: RGB in [0, 1].
        flow: `lid_flow`, pixels.

    Returns:
        RGB in [0, 1], what is added to the flow in pixels, and the mask: how far the colour
        replaces the reference.
    """
    added, mask, color = edit[:, :2] * FLOW_SCALE, edit[:, 2:3].sigmoid(), edit[:, 3:].sigmoid()
    moved = flowed(reference, flow + added)
    return moved + mask * (color - moved), added, mask


def flowed(
    image: Float[Tensor, "B 3 H W"], flow: Float[Tensor, "B 2 H W"]
) -> Float[Tensor, "B 3 H W"]:
    """The picture whose pixel p is the image's p + flow(p)."""
    height, width = image.shape[2:]
    rows = torch.arange(height, device=image.device, dtype=image.dtype)[:, None]
    columns = torch.arange(width, device=image.device, dtype=image.dtype)
    x = (flow[:, 0] + columns + 0.5) / width * 2 - 1
    y = (flow[:, 1] + rows + 0.5) / height * 2 - 1
    places = torch.stack([x, y], dim=-1)
    return F.grid_sample(image, places, padding_mode="border", align_corners=False)
