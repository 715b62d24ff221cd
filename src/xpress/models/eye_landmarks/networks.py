"""From the crop of an eye or a mouth to its landmarks: a few plain convolutions, for a CPU."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from xpress.media.eye_crop import HEIGHT, POINTS, WIDTH
from xpress.models.face_autoencoder.networks import convolution


class LandmarkNetwork(nn.Module):
    """Lid points and iris of one eye, or the lips of one mouth.

    The last maps are flattened, not pooled: where something is tells how far it moved.

    Args:
        channels: of the maps at a half, a quarter, … of the crop's size.
        repeats: convolutions at each of these sizes.
        hidden: numbers between the maps and the points.
        dropout: on the flattened maps, in training.
        size: height and width of the crop, pixels.
        points: how many there are.
    """

    def __init__(
        self,
        channels: Sequence[int] = (16, 32, 48, 64),
        repeats: Sequence[int] = (1, 2, 2, 1),
        hidden: int = 96,
        dropout: float = 0.1,
        size: tuple[int, int] = (HEIGHT, WIDTH),
        points: int = POINTS,
    ) -> None:
        super().__init__()
        if len(channels) != len(repeats):
            raise ValueError(f"{len(channels)} channels need as many repeats, not {len(repeats)}")
        layers, wide = [], 3
        for deep, count in zip(channels, repeats, strict=True):
            layers.append(convolution(wide, deep, 3, 2))
            layers += [convolution(deep, deep, 3) for _ in range(count - 1)]
            wide = deep
        shrink = 2 ** len(channels)
        self.maps = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(wide * (size[0] // shrink) * (size[1] // shrink), hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, 2 * points),
        )

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B P 2"]:
        """Read crops.

        Args:
            image: RGB in [0, 1]; see `xpress.media.eye_crop` and `lip_crop`.

        Returns:
            Points from the crop's middle, in widths of the eye (lids, then the iris's centre) or of
            the lips.
        """
        return torch.unflatten(self.head(self.maps(image - 0.5)), 1, (-1, 2))
