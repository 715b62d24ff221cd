"""The picture without the person, as far as a moving head uncovers it."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

DEEP = 2.5
"""Centimetres under the edge up to which the background's own texture is mirrored in."""
CALM, EDGE, SOFT = 0.8, 0.15, 0.25
"""Centimetres: the blur of the edge's direction, of its own colours, and of where one fill passes
into the other."""


def background_plate(
    image: UInt8[np.ndarray, "H W 3"], alpha: UInt8[np.ndarray, "H W"], unit: float
) -> UInt8[np.ndarray, "H W 3"]:
    """The background continued under the person; where there is none, the picture bit by bit.

    Near the edge the background is mirrored at it, which keeps its grain and its focus; deeper,
    where no head uncovers it, its colours run on smoothly.

    Args:
        image: RGB.
        alpha: of `person_matte`.
        unit: pixels per centimetre.
    """
    free = alpha == 0
    if free.all() or not free.any():
        return image.copy()
    smooth: Float32[np.ndarray, "H W 3"] = run_on(image, free)
    mirrored, share = _mirrored(image, free, unit)
    mixed = smooth + share[..., None] * (mirrored - smooth)
    return np.where(free[..., None], image, mixed.round().clip(0, 255).astype(np.uint8))


def _mirrored(
    image: UInt8[np.ndarray, "H W 3"], free: Bool[np.ndarray, "H W"], unit: float
) -> tuple[UInt8[np.ndarray, "H W 3"], Float32[np.ndarray, "H W"]]:
    """The picture mirrored at the edge of what is free, and how far that is to be believed.

    Directions are those of the smoothed distance: an edge that is jagged would give streaks.
    """
    depth = cv2.distanceTransform((~free).astype(np.uint8), cv2.DIST_L2, 5)
    outside = cv2.distanceTransform(free.astype(np.uint8), cv2.DIST_L2, 5)
    calm = cv2.GaussianBlur(depth - outside, (0, 0), max(CALM * unit, 1.0))
    inward = np.stack([cv2.Sobel(calm, cv2.CV_32F, 1, 0), cv2.Sobel(calm, cv2.CV_32F, 0, 1)], -1)
    inward = inward / np.maximum(np.linalg.norm(inward, axis=-1, keepdims=True), 1e-6)
    rows, columns = np.indices(free.shape, np.float32)
    # a little further, so that the edge's own mixed colours are left out
    way = 2 * np.maximum(calm, 0) + EDGE * unit
    points = np.stack([columns, rows], -1) - way[..., None] * inward
    mirrored = cv2.remap(image, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)  # type: ignore[call-overload]
    found = cv2.remap(free.astype(np.float32), points, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
    near = (1.5 - depth / (DEEP * unit)).clip(0, 1)
    sure = cv2.erode(found, np.ones((3, 3), np.uint8)) * near
    return mirrored, cv2.GaussianBlur(sure, (0, 0), max(SOFT * unit, 0.5)) * (found > 0.99)


def run_on(
    image: UInt8[np.ndarray, "H W 3"], free: Bool[np.ndarray, "H W"]
) -> Float32[np.ndarray, "H W 3"]:
    """Colours of the free pixels run on under the others: a pyramid's averages, coarse to fine."""
    levels = []
    weight: np.ndarray = free.astype(np.float32)
    total: np.ndarray = image * weight[..., None]
    while min(weight.shape) > 2:
        levels.append((total, weight))
        total, weight = cv2.pyrDown(total), cv2.pyrDown(weight)
    guess = total / np.maximum(weight, 1e-6)[..., None]
    for total, weight in reversed(levels):
        upper = cv2.resize(guess, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        # once there is any colour of this fineness it counts in full
        share = np.minimum(4 * weight, 1)[..., None]
        guess = upper + share * (total / np.maximum(weight, 1e-6)[..., None] - upper)
    return guess.astype(np.float32)
