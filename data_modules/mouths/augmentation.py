"""How mouth crops for training differ from the canonical ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import albumentations as A
import numpy as np
from jaxtyping import Float, UInt8

from xpress.media.crop import Crop
from xpress.media.mouth_crop import MOUTH_RATIO, hole_mask

LAYERS = ("upper", "lower")
"""Layers of the reference."""


@dataclass(frozen=True)
class MouthAugment:
    """How training crops differ from the canonical one.

    Attributes:
        ratio: range of the crop's side over the lips' width, log-uniform.
        shift: standard deviation of the crop's centre in sides (cut at 2.5 deviations).
        roll: largest roll in degrees.
        flip: probability of the mirror image.
        grey: probability of turning grey.
        photometric: multiplies the probabilities of the changes of colour.
        grow: range in pixels by which the hole grows (shrinks where negative), uniform; at
            inference its outline comes from a mesh.
        jolt: standard deviation in pixels of the hole's shift.
        wobble: standard deviation in pixels of each point of its outline.
        alone: probability of giving no reference: most photographs show closed lips.
        unknown: probability of not saying where the teeth are, and so of no reference either.
        drift: standard deviation in pixels by which the rows of teeth are off.
    """

    ratio: Sequence[float] = (1.3, 1.75)
    shift: float = 0.03
    roll: float = 15.0
    flip: float = 0.5
    grey: float = 0.05
    photometric: float = 1.0
    grow: Sequence[float] = (-1.0, 2.5)
    jolt: float = 0.6
    wobble: float = 0.4
    alone: float = 0.35
    unknown: float = 0.05
    drift: float = 0.5

    def crop(self, rng: np.random.Generator, canonical: Crop) -> Crop:
        """A crop near the canonical one."""
        low, high = np.log(self.ratio[0] / MOUTH_RATIO), np.log(self.ratio[1] / MOUTH_RATIO)
        zoom, roll = rng.random(2)
        side = canonical.side * np.exp(low + (high - low) * zoom)
        x, y = np.array(canonical.center) + self.shift * side * rng.standard_normal(2).clip(
            -2.5, 2.5
        )
        angle = np.deg2rad(self.roll * (2 * roll - 1))
        return Crop((float(x), float(y)), float(side), canonical.size, float(angle))

    def hole(
        self, rng: np.random.Generator, contour: Float[np.ndarray, "N 2"], size: int
    ) -> UInt8[np.ndarray, "S S"]:
        """The hole, not quite where the lips are."""
        jolt = self.jolt * rng.standard_normal(2)
        wobble = self.wobble * rng.standard_normal(contour.shape)
        least, most = self.grow
        return hole_mask(contour + jolt + wobble, size, float(rng.uniform(least, most)))

    def teeth(
        self, rng: np.random.Generator, rows: Float[np.ndarray, "2 2 N 2"]
    ) -> Float[np.ndarray, "2 2 N 2"]:
        """The rows of teeth, each not quite where it is; not finite where that is not said."""
        known, shift = rng.random(), rng.standard_normal((2, 1, 1, 2))
        return rows + self.drift * shift if known >= self.unknown else np.full_like(rows, np.nan)

    def filters(self) -> A.Compose:
        """Changes of colour, the same for the crop and both layers of the reference.

        Nothing blurs, because the truth must stay sharp.
        """

        def p(value: float) -> float:
            return min(value * self.photometric, 1.0)

        return A.Compose(
            [
                A.RandomBrightnessContrast(0.25, 0.2, p=p(0.5)),
                A.RandomGamma((70, 140), p=p(0.3)),
                A.HueSaturationValue(8, 30, 15, p=p(0.4)),
                A.RGBShift(12, 12, 12, p=p(0.2)),
            ],
            is_check_shapes=False,
            additional_targets=dict.fromkeys(LAYERS, "image"),
        )
