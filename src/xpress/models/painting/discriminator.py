"""What judges paintings."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


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
