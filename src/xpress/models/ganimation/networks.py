"""The generator of GANimation.

Pumarola et al., "GANimation: Anatomically-aware Facial Animation from a Single Image", ECCV 2018;
its body is that of Johnson et al., "Perceptual Losses for Real-Time Style Transfer", ECCV 2016.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from xpress.models.expression_editing.generator import ExpressionGenerator, GeneratorOutput
from xpress.morphable.action_units import ACTION_UNITS


class InstanceNorm(nn.Module):
    """Instance norm with scale and shift, which action units may move.

    A constant plane beside the picture, which is how GANimation is given the action units, hardly
    survives an instance norm: only next to the padded border does a convolution make anything of
    it. That a trained network obeys at all takes it long; with `units` each norm gets them anew.

    Args:
        channels: of the map.
        units: action units that add to scale and shift; zero for the published norm.
    """

    def __init__(self, channels: int, units: int = 0) -> None:
        super().__init__()
        # one group a channel is an instance norm, and on a processor several times as fast
        self.norm = nn.GroupNorm(channels, channels)
        self.shift = nn.Linear(units, 2 * channels) if units else None
        if self.shift is not None:
            nn.init.zeros_(self.shift.weight)
            nn.init.zeros_(self.shift.bias)

    def forward(self, x: Float[Tensor, "B C H W"], units: Float[Tensor, "B U"]) -> Tensor:
        """Norm of each channel of each picture."""
        x = self.norm(x)
        if self.shift is None:
            return x
        scale, shift = self.shift(units)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(x + shift, x, scale)


class Layer(nn.Module):
    """A convolution without bias, instance norm, ReLU."""

    def __init__(self, convolution: nn.Module, channels: int, units: int = 0) -> None:
        super().__init__()
        self.convolution, self.norm = convolution, InstanceNorm(channels, units)

    def forward(self, x: Float[Tensor, "B C H W"], units: Float[Tensor, "B U"]) -> Tensor:
        """What the layer is made of, in turn."""
        return torch.relu(self.norm(self.convolution(x), units))


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with instance norms, added to the input."""

    def __init__(self, channels: int, units: int = 0) -> None:
        super().__init__()
        self.first = Layer(_convolution(channels, channels, 3), channels, units)
        self.second = _convolution(channels, channels, 3)
        self.norm = InstanceNorm(channels, units)

    def forward(self, x: Float[Tensor, "B C H W"], units: Float[Tensor, "B U"]) -> Tensor:
        """The same shape."""
        return x + self.norm(self.second(self.first(x, units)), units)


class GANimationGenerator(ExpressionGenerator):
    """Picture and action units to a colour mask and an attention mask.

    Args:
        channels: at full resolution; doubled at each of two halvings.
        blocks: residual blocks, at a quarter of the resolution.
        units: how many action units.
        modulated: give the units to every norm of the residual blocks too (see `InstanceNorm`);
            False is the published network.
    """

    stride = 4

    def __init__(
        self,
        channels: int = 64,
        blocks: int = 6,
        units: int = len(ACTION_UNITS),
        modulated: bool = False,
    ) -> None:
        super().__init__()
        c, given = channels, units if modulated else 0
        body: list[nn.Module] = [
            Layer(_convolution(3 + units, c, 7), c),
            Layer(nn.Conv2d(c, 2 * c, 4, 2, 1, bias=False), 2 * c),
            Layer(nn.Conv2d(2 * c, 4 * c, 4, 2, 1, bias=False), 4 * c),
            *(ResidualBlock(4 * c, given) for _ in range(blocks)),
            Layer(nn.ConvTranspose2d(4 * c, 2 * c, 4, 2, 1, bias=False), 2 * c),
            Layer(nn.ConvTranspose2d(2 * c, c, 4, 2, 1, bias=False), c),
        ]
        self.body = nn.ModuleList(body)
        self.heads = _convolution(c, 4, 7)  # both at once: three of colour, one of attention

    def forward(
        self, image: Float[Tensor, "B 3 H W"], units: Float[Tensor, "B U"]
    ) -> tuple[Float[Tensor, "B 3 H W"], Float[Tensor, "B 1 H W"]]:
        """Masks.

        Args:
            image: RGB in [0, 1]; sides are multiples of `stride`.
            units: wanted action units in [0, 1].

        Returns:
            The colour mask, RGB in [0, 1], and the attention mask in [0, 1]: the weight of the
            input in the result.
        """
        x = with_planes(image, units)
        for layer in self.body:
            x = layer(x, units)
        color, attention = self.heads(x).split([3, 1], dim=1)
        return torch.tanh(color) * 0.5 + 0.5, torch.sigmoid(attention)

    def edit(self, image: Float[Tensor, "B 3 H W"], units: Float[Tensor, "B U"]) -> GeneratorOutput:
        """The masks and the result; see `forward`."""
        color, attention = self(image, units)
        return GeneratorOutput.blend(color, attention, image)


def with_planes(
    image: Float[Tensor, "B 3 H W"], units: Float[Tensor, "B U"]
) -> Float[Tensor, "B C H W"]:
    """A picture in [-1, 1] and, below it, a constant plane for each action unit."""
    planes = units[:, :, None, None].expand(-1, -1, *image.shape[2:])
    return torch.cat([image * 2 - 1, planes], dim=1)


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
