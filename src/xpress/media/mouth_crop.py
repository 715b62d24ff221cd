"""The square mouth crop that the generator sees, in training and at inference."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, Float64, UInt8

from xpress.media.crop import Crop

MOUTH_RATIO = 1.5
"""Side of the crop over the width of the lips."""
SIZE = 96
"""Pixels of the crop's side."""
INPUTS = {"filled": 3, "hole": 1, "teeth": 2, "reference": 8}
"""What a mouth generator takes, in its order, and the channels of each."""
_SHIFT = 4
"""Fractional bits of OpenCV's polygon coordinates."""
TEETH_LEVEL, TEETH_PALENESS = 0.8, 1.03
"""Of teeth over the skin, at least: the weakest channel, and it over the strongest."""
FAR = 1e4
"""Pixels beyond which points count as equally far: OpenCV's coordinates are integers."""


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


def teeth_masks(rows: Float[np.ndarray, "2 2 N 2"], size: int) -> UInt8[np.ndarray, "2 S S"]:
    """Where the upper and the lower row of teeth are, as if nothing hid them.

    Args:
        rows: see `xpress.morphable.teeth`, pixels of the crop; not finite where unknown.
        size: pixels of the crop's side.

    Returns:
        255 on teeth with soft edges, so that what trembles a little hardly changes.
    """
    masks = np.zeros((2, size, size), np.uint8)
    if np.isfinite(rows).all():
        fixed = np.round(rows.clip(-FAR, FAR) * 2**_SHIFT).astype(np.int32)
        for mask, (edge, gums) in zip(masks, fixed, strict=True):
            for n in range(len(edge) - 1):  # one by one: turned heads fold the row's outline
                piece = np.stack([edge[n], edge[n + 1], gums[n + 1], gums[n]])
                cv2.fillConvexPoly(mask, piece, 255, cv2.LINE_AA, _SHIFT)
    return masks


def row_alignment(
    source: Float[np.ndarray, "*N 2"], target: Float[np.ndarray, "*N 2"]
) -> Float64[np.ndarray, "2 3"] | None:
    """The similarity that takes one row of teeth to where it is in another picture.

    Least squares over all points (Umeyama, 1991, in the plane, where it is linear).

    Args:
        source: points in pixels of one picture.
        target: the same points in pixels of the other.

    Returns:
        The affine matrix; None where there is none, or none that a head's motion explains.
    """
    first, second = (p.reshape(-1, 2).astype(np.float64) for p in (source, target))
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return None
    middle, other = first.mean(0), second.mean(0)
    # As complex numbers a similarity is one factor and a shift.
    a, b = ((p - m) @ (1, 1j) for p, m in ((first, middle), (second, other)))
    factor = np.vdot(a, b) / max(float(np.vdot(a, a).real), 1e-9)
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    if not factor.real > 0:
        return None
    return np.column_stack([linear, other - linear @ middle])


def reference_layers(
    picture: UInt8[np.ndarray, "H W 4"],
    rows: Float[np.ndarray, "2 2 N 2"],
    wanted: Float[np.ndarray, "2 2 N 2"],
    size: int,
) -> UInt8[np.ndarray, "2 S S 4"]:
    """Another picture of the mouth, laid over the crop by its upper and by its lower teeth.

    Args:
        picture: RGB, and 255 where it shows the mouth's inside; colours are zero elsewhere. It
            should be about as fine as the crop.
        rows: of the teeth in its pixels.
        wanted: the rows in pixels of the crop.
        size: pixels of the crop's side.

    Returns:
        RGB times how much is shown, and how much.
    """
    layers = np.zeros((2, size, size, 4), np.uint8)
    for layer, before, after in zip(layers, rows, wanted, strict=True):
        matrix = row_alignment(before, after)
        if matrix is not None:
            cv2.warpAffine(picture, matrix, (size, size), dst=layer, flags=cv2.INTER_LINEAR)
    return layers


def shown_teeth(
    picture: UInt8[np.ndarray, "H W 3"], inside: UInt8[np.ndarray, "H W"], lips_width: float
) -> float:
    """How much of the teeth a picture shows: their area over the squared width of the lips.

    Teeth are what is between the lips and neither much darker nor redder than the skin around:
    lips, tongue and gums are red, and the back of the mouth is dark.

    Args:
        picture: RGB crop around the mouth.
        inside: not zero between the lips.
        lips_width: pixels.
    """
    weakest, strongest = (f(picture, axis=2).astype(np.float32) for f in (np.min, np.max))
    pale = weakest / np.maximum(strongest, 1)
    between = inside > 0
    if between.all() or not between.any():
        return 0.0
    bright = weakest > TEETH_LEVEL * np.median(weakest[~between])
    white = pale > TEETH_PALENESS * np.median(pale[~between])
    return float((between & bright & white).sum()) / max(lips_width, 1.0) ** 2
