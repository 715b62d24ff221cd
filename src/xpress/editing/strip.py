"""An interpolation as one picture, or as a video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Float, UInt8

from xpress.extraction.face_sample import FaceSample
from xpress.media.crop import Crop

HEAD = 2.0
"""Side of a tile over the longer side of the landmarks' box: it shows the head."""
FPS = Fraction(25)
SWEEP, HOLD = 0.8, 0.4
"""Seconds from one step to the next, and on each."""


def face_strip(
    target: UInt8[np.ndarray, "H W 3"],
    steps: Sequence[UInt8[np.ndarray, "H W 3"]],
    source: UInt8[np.ndarray, "h w 3"],
    face: FaceSample,
    other: FaceSample,
) -> UInt8[np.ndarray, "S T 3"]:
    """Heads side by side: the target, each step, the source.

    The target's pixels are shown as they are; the source is scaled to the same size of face, at
    the same place, and mirrored beyond its border.

    Args:
        target: RGB.
        steps: pictures of the target's size.
        source: RGB.
        face: of the target.
        other: of the source.
    """
    height, width = target.shape[:2]
    own, theirs = (Crop.around(f.landmarks68, HEAD) for f in (face, other))
    side = min(round(own.side), height, width)
    x, y = (
        int(np.clip(round(middle - side / 2), 0, length - side))
        for middle, length in zip(own.center, (width, height), strict=True)
    )
    zoom = theirs.side / own.side
    middle = np.array([x, y]) + (side - 1) / 2
    moved = np.array(theirs.center) + zoom * (middle - np.array(own.center))
    crop = Crop((float(moved[0]), float(moved[1])), zoom * side, side)
    tiles = [picture[y : y + side, x : x + side] for picture in (target, *steps)]
    return np.hstack([*tiles, crop.cut(source)])


def sweep(steps: Sequence[float]) -> list[float]:
    """The step of each frame of a video: from 0 through all steps, easing, resting on each."""
    held, moving = round(HOLD * FPS), round(SWEEP * FPS)
    frames = [0.0] * held
    for last, following in zip([0.0, *steps], steps, strict=False):
        frames += (last + (following - last) * _ease(moving)).tolist()
        frames += [float(following)] * held
    return frames


def times(count: int) -> Iterator[Fraction]:
    """Of frames at `FPS`, seconds."""
    return (number / FPS for number in range(count))


def _ease(count: int) -> Float[np.ndarray, " T"]:
    """From 0, exclusive, to 1 without a jump in speed."""
    share = (np.arange(count) + 1) / count
    return share * share * (3 - 2 * share)
