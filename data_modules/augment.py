"""Random crops, mirrored or not, and what cameras, codecs and hands do to a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks a server for news otherwise

import albumentations as A
import cv2
import numpy as np
from jaxtyping import Float, UInt8

from xpress.media.crop import CROP_RATIO, Crop


@dataclass(frozen=True)
class Augment:
    """How training crops differ from the canonical one.

    Attributes:
        ratio: range of the crop's side over the longer side of the landmark box, log-uniform.
        shift: standard deviation of the crop's centre in sides (cut at 2.5 deviations).
        roll: largest roll in degrees; one in three is uniform up to it, the others are small
            (normal with a quarter of it).
        flip: probability of the mirror image.
        grey: probability of a colour picture turning grey.
        photometric: multiplies every probability below (0 switches them off).
    """

    ratio: Sequence[float] = (1.2, 1.8)
    shift: float = 0.08
    roll: float = 25.0
    flip: float = 0.5
    grey: float = 0.1
    photometric: float = 1.0

    def crop(self, rng: np.random.Generator, box: Float[np.ndarray, " 4"], size: int) -> Crop:
        """A crop around a landmark box (x0, y0, x1, y1) in image pixels."""
        low, high = np.log(self.ratio[0]), np.log(self.ratio[1])
        ratio, u, kind = rng.random(3)
        dx, dy, small = rng.standard_normal(3).clip(-2.5, 2.5)
        side = max(box[2] - box[0], box[3] - box[1]) * np.exp(low + (high - low) * ratio)
        angle = self.roll * (2 * u - 1) if kind < 1 / 3 else self.roll / 4 * small
        center = (
            (box[0] + box[2]) / 2 + self.shift * side * dx,
            ((box[1] + box[3]) / 2 + self.shift * side * dy),
        )
        return Crop((float(center[0]), float(center[1])), float(side), size, np.deg2rad(angle))

    def filters(self, seed: int) -> A.Compose | None:
        """The photometric part with its own random state, or None where it is off."""
        return photometric(self.photometric, seed) if self.photometric > 0 else None


def photometric(strength: float = 1.0, seed: int = 0) -> A.Compose:
    """Light, colour, blur, codec, noise and occluders; pixels never move.

    About one filter a picture is applied. They stand in a plain list because choosing inside
    `OneOf` costs more than most of them, and the dear ones are rare.

    Args:
        strength: multiplies each probability, at most up to one.
        seed: of its random state.
    """

    def p(value: float) -> float:
        return min(value * strength, 1.0)

    area = {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR}
    holes = {"hole_height_range": (0.1, 0.35), "hole_width_range": (0.1, 0.35)}
    return A.Compose(
        [
            A.RandomBrightnessContrast(0.3, 0.3, p=p(0.25)),
            A.RandomGamma((60, 160), p=p(0.2)),
            A.RGBShift(20, 20, 20, p=p(0.08)),
            A.ColorJitter(0.2, 0.2, 0.3, 0.03, p=p(0.04)),
            A.CoarseDropout((1, 2), **holes, fill="random_uniform", p=p(0.06)),
            A.CoarseDropout((1, 2), **holes, fill=0, p=p(0.04)),
            A.GaussianBlur((3, 7), p=p(0.09)),
            A.MotionBlur((3, 9), p=p(0.06)),
            A.Downscale((0.3, 0.7), area, p=p(0.12)),
            A.GaussNoise((0.01, 0.06), noise_scale_factor=0.5, p=p(0.07)),
            A.ImageCompression("jpeg", (20, 80), p=p(0.15)),
        ],
        is_check_shapes=False,
        seed=seed,
    )


def to_grey(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
    """Luma in all three channels."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def canonical_crop(box: Float[np.ndarray, " 4"], size: int) -> Crop:
    """The crop of `xpress.media.crop.Crop.around`, from the landmarks' box."""
    return Crop.around(np.asarray(box).reshape(2, 2), CROP_RATIO, size)


def cut_flipped(
    image: UInt8[np.ndarray, "H W 3"], crop: Crop, flip: bool
) -> tuple[UInt8[np.ndarray, "S S 3"], Float[np.ndarray, "2 3"]]:
    """Cut a crop, mirrored or not.

    Args:
        image: the picture.
        crop: in pixels of the picture as it is.
        flip: mirror the result left to right.

    Returns:
        The pixels, and the (2, 3) similarity that takes pixels of the picture, or of the mirrored
        picture (x becomes W-1-x) when flipped, to pixels of the result.
    """
    pixels = crop.cut(image)
    if not flip:
        return pixels, crop.matrix
    center = image.shape[1] - 1 - crop.center[0], crop.center[1]
    return cv2.flip(pixels, 1), Crop(center, crop.side, crop.size, -crop.angle).matrix
