"""What a generator makes of a face, with the parts that the result is blended from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from xpress.batches import ExpressionEdit
from xpress.structures import ArrayStruct


@dataclass(frozen=True)
class GeneratorOutput(ArrayStruct):
    """Result and layers of one pass.

    Attributes:
        image: the result, RGB in [0, 1]: `(1 - attention) * texture + attention * aligned`.
        texture: what is painted, RGB in [0, 1]: GANimation's colour mask, DFT-Net's texture.
        attention: weight of `aligned`, in [0, 1].
        aligned: DFT-Net's warped picture; in GANimation the input itself.
        flow: backward flow (x, y), pixels, or None: `aligned(p) = input(p + flow(p))`.
    """

    image: Float[Tensor, "B 3 H W"]
    texture: Float[Tensor, "B 3 H W"]
    attention: Float[Tensor, "B 1 H W"]
    aligned: Float[Tensor, "B 3 H W"]
    flow: Float[Tensor, "B 2 H W"] | None = None

    @staticmethod
    def blend(
        texture: Tensor, attention: Tensor, aligned: Tensor, flow: Tensor | None = None
    ) -> GeneratorOutput:
        """Equation 5 of the DFT-Net paper, and that of GANimation, whose `aligned` is the input."""
        image = torch.lerp(texture, aligned, attention)
        return GeneratorOutput(image, texture, attention, aligned, flow)

    @property
    def edit(self) -> ExpressionEdit:
        """The result, and how far each pixel was painted over or (up to one pixel) moved."""
        kept = self.attention
        if self.flow is not None:
            kept = kept * (1 - self.flow.norm(dim=1, keepdim=True).clamp(max=1))
        return ExpressionEdit(self.image, 1 - kept)


class ExpressionGenerator(nn.Module):
    """What `GANimationGenerator` and `DFTNetGenerator` have in common.

    Attributes:
        stride: sides of the picture are multiples of it.
    """

    stride: int

    def edit(self, image: Float[Tensor, "B 3 H W"], units: Float[Tensor, "B U"]) -> GeneratorOutput:
        """Give faces other expressions.

        Args:
            image: RGB in [0, 1].
            units: wanted action units in [0, 1].
        """
        raise NotImplementedError
