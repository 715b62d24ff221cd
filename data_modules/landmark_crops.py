"""What crops of eyes and of mouths share: how workers hand them over, and how small ones look."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from xpress.data_modules.raw_batch import RawBatch, colors

from xpress.batches import LandmarkBatch


@dataclass(frozen=True)
class RawLandmarkCrops(RawBatch):
    """`LandmarkBatch` as workers hand it over: uint8 RGB (B, H, W, 3)."""

    image: UInt8[Tensor, "B H W 3"]
    points: Float[Tensor, "B P 2"]
    group: Int[Tensor, " B"]

    def finish(self) -> LandmarkBatch:
        """Floats in [0, 1], channels-last in memory, on the device the batch is on."""
        return LandmarkBatch(colors(self.image), self.points, self.group)


def smaller(
    image: UInt8[np.ndarray, "h w 3"],
    width: float,
    often: float,
    least: float,
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture as if what it shows had been smaller, at the size it has.

    Args:
        image: RGB.
        width: of the eye or the lips in it, pixels.
        often: share of pictures.
        least: width that it is shrunk to at most.
        rng: draws.
    """
    share = least / width
    if rng.random() >= often or share >= 1:
        return image
    share = rng.uniform(share, 1)
    size = [max(int(side * share), 4) for side in image.shape[1::-1]]
    shrunk = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
