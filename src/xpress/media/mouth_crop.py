"""The square mouth crop that the generator sees, in training and at inference."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from xpress.media.crop import Crop

MOUTH_RATIO = 1.5
"""Side of the crop over the width of the lips."""
SIZE = 96
"""Pixels of the crop's side."""
_SHIFT = 4
"""Fractional bits of OpenCV's polygon coordinates."""


def mouth_crop(
    lips: Float[np.ndarray, "N 2"], ratio: float = MOUTH_RATIO, size: int = SIZE
) -> Crop:
    """The canonical crop around the outer lips.

    Args:
        lips: outline of the lips in pixels of the image, corners among it.
        ratio: side of the crop over the distance of the two points furthest apart along x.
        size: pixels of the crop's side.
    """
    low, high = lips.min(0), lips.max(0)
    left, right = lips[lips[:, 0].argmin()], lips[lips[:, 0].argmax()]
    x, y = (low + high) / 2
    width = max(float(np.hypot(*(right - left))), 2.0)
    return Crop((float(x), float(y)), width * ratio, size)


def hole_mask(
    contour: Float[np.ndarray, "N 2"], size: int, growth: float = 0.0
) -> UInt8[np.ndarray, "S S"]:
    """One inside the inner lips.

    Args:
        contour: the inner lips, pixels of the crop, in order.
        size: pixels of the crop's side.
        growth: pixels by which the hole is larger (smaller where negative) than the contour.
    """
    mask = np.zeros((size, size), np.uint8)
    points = [np.round(contour * 2**_SHIFT).astype(np.int32)]
    cv2.fillPoly(mask, points, 1, shift=_SHIFT)
    thickness = round(2 * abs(growth))
    if thickness >= 1:
        value = 1 if growth > 0 else 0
        cv2.polylines(mask, points, True, value, thickness, shift=_SHIFT)
    return mask
