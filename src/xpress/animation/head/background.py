"""The picture without the person, as far as a moving head uncovers it."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

DEEP = 2.5
"""Centimetres under the edge up to which the background's own texture is mirrored in."""
LEVELS = 3
"""Halvings of the picture before what lies under the person is filled in."""


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
    _, labels = cv2.distanceTransformWithLabels(
        (~free).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, columns = np.nonzero(~free)
    source = np.zeros(int(labels.max()) + 1, np.int64)
    source[labels[free]] = np.flatnonzero(free)
    foot_row, foot_column = np.divmod(source[labels[rows, columns]], image.shape[1])
    # one more step, so that the edge's own mixed colours are left out
    y, x = 2 * foot_row - rows, 2 * foot_column - columns
    height, width = free.shape
    within = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    within[within] = free[y[within], x[within]]
    depth = np.hypot(foot_row - rows, foot_column - columns)
    share = np.where(within, (1.5 - depth / (DEEP * unit)).clip(0, 1), 0).astype(np.float32)
    shares: Float32[np.ndarray, "H W"] = np.zeros(free.shape, np.float32)
    shares[rows, columns] = share
    mirrored = smooth.copy()
    mirrored[rows[within], columns[within]] = image[y[within], x[within]]
    soft = max(0.12 * unit, 0.5)
    weight = cv2.GaussianBlur(shares, (0, 0), soft)[..., None]
    mixed = smooth + weight * (mirrored - smooth)
    return np.where(free[..., None], image, mixed.round().clip(0, 255).astype(np.uint8))


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
