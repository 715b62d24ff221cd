"""The upright square crop of a mouth in which its lips are read, in training and at inference."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from xpress.media.crop import Crop

SIZE = 64
"""Pixels of the crop's side."""
RATIO = 1.9
"""Side of the crop over the distance of the corners."""
LIP_WIDTH = SIZE / RATIO
"""Distance of the corners in pixels of the crop."""
MIDDLE = (SIZE - 1) / 2
CORNERS = (0, 10)
"""The right and the left corner among the points of each outline."""
POINTS = 40
"""Outer and inner outline, each from the owner's right corner over the upper lip and back."""
MIRRORED = np.array([start + (10 - n) % 20 for start in (0, 20) for n in range(20)])
"""Where each point stands in the mirror image."""


def lip_crop(
    outline: Float[np.ndarray, "20 2"],
    shift: tuple[float, float] = (0.0, 0.0),
    zoom: float = 1.0,
    turn: float = 0.0,
) -> Crop:
    """The crop around an outer outline, its corners level.

    Args:
        outline: of the lips, pixels of the image.
        shift: of the middle, lip widths.
        zoom: larger shows less.
        turn: radians by which the corners are not level.
    """
    right, left = outline[list(CORNERS)]
    across = left - right
    width = max(float(np.hypot(*across)), 2.0)
    angle = float(np.arctan2(across[1], across[0])) + turn
    x, y = (outline.min(0) + outline.max(0)) / 2 + np.array(shift) * width
    return Crop((float(x), float(y)), width * RATIO / zoom, SIZE, angle)
