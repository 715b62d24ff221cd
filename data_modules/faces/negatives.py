"""Crops that miss the face: what a tracker sees once it has lost it."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from xpress.media.crop import Crop


def negative_crop(rng: np.random.Generator, box: Float[np.ndarray, " 4"], size: int) -> Crop:
    """A crop of no face, of a fraction of one, far too large for one or far off it.

    Shifts between a tracker's usual error and "missed" are never made.

    Args:
        rng: random state, advanced.
        box: x0, y0, x1, y1 of a face's landmarks, pixels.
        size: pixels of the crop's side.
    """
    face = float(max(box[2] - box[0], box[3] - box[1]))
    middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    kind, direction, u = rng.random(3)
    away = np.array([np.cos(2 * np.pi * direction), np.sin(2 * np.pi * direction)])
    if kind < 0.3:  # a cheek, an eye, hair
        side = face * (0.15 + 0.25 * u)
        center = middle + away * face * 0.45 * rng.random()
    elif kind < 0.6:  # background beside the face, where the picture has some
        side = face * (0.3 + 0.5 * u)
        center = middle + away * (face / 2 + side * 0.45)
    elif kind < 0.9:  # shifted by most of a face
        side = face * (1.2 + 0.6 * u)
        center = middle + away * face * (0.65 + 0.45 * rng.random())
    else:
        side = face * (4 + 3 * u)
        center = middle + away * face * rng.random()
    return Crop((float(center[0]), float(center[1])), max(side, 2.0), size, rng.normal(0, 0.2))


def cut_negative(
    rng: np.random.Generator,
    image: UInt8[np.ndarray, "H W 3"],
    box: Float[np.ndarray, " 4"],
    size: int,
) -> UInt8[np.ndarray, "S S 3"]:
    """Cut a `negative_crop`.

    What lies beyond the picture is not mirrored in, because a mirrored face is a face.
    """
    crop = negative_crop(rng, box, size)
    border = cv2.BORDER_REPLICATE if rng.random() < 0.75 else cv2.BORDER_CONSTANT
    fill = tuple(int(value) for value in rng.integers(0, 256, 3))
    return cv2.warpAffine(
        image,
        crop.matrix,
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=border,
        borderValue=fill,
    )
