"""Putting the pieces into the full frame; outside the region nothing changes."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float32, UInt8
from numba import njit

Box = tuple[int, int, int, int]
NOTHING = 1 / 512
"""Relative change of brightness that no pixel shows."""


def clip_box(box: Box, height: int, width: int) -> Box:
    """The part of a box that lies inside the image; empty boxes have no area."""
    x0, y0, x1, y1 = box
    x0, x1 = (min(max(v, 0), width) for v in (x0, x1))
    y0, y1 = (min(max(v, 0), height) for v in (y0, y1))
    return x0, y0, max(x1, x0), max(y1, y0)


def inside(outer: Box, inner: Box) -> tuple[slice, slice]:
    """Rows and columns of `inner` in an array that covers `outer`."""
    x, y = outer[:2]
    return slice(inner[1] - y, inner[3] - y), slice(inner[0] - x, inner[2] - x)


def intersect(first: Box, second: Box) -> Box:
    """The pixels of both boxes; without area where there are none."""
    x0, y0 = max(first[0], second[0]), max(first[1], second[1])
    return x0, y0, max(min(first[2], second[2]), x0), max(min(first[3], second[3]), y0)


def enclosing(first: Box, second: Box) -> Box:
    """The smallest box that holds both; the other one where one has no area."""
    for one, other in ((first, second), (second, first)):
        if one[2] <= one[0] or one[3] <= one[1]:
            return other
    low, high = np.minimum(first[:2], second[:2]), np.maximum(first[2:], second[2:])
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def apply_gain(image: UInt8[np.ndarray, "H W 3"], change: Float32[np.ndarray, "H W"]) -> None:
    """Multiply pixels by 1 + change in place; zero leaves them exact."""
    _apply_gain(image, change)


def blend(
    below: UInt8[np.ndarray, "H W 3"],
    above: Float32[np.ndarray, "H W 3"],
    alpha: Float32[np.ndarray, "H W"],
    weight: float = 1.0,
) -> None:
    """Lay `above` (0 to 255) over `below` in place with `weight * alpha`; zero leaves it exact."""
    _blend(below, above, alpha, np.float32(weight))


@njit(cache=True, nogil=True)
@no_type_check  # the import hook of the tests would hand numba a wrapper
def _apply_gain(image, change):
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            g = change[row, column]
            if abs(g) < NOTHING:
                continue
            g += np.float32(1)
            for n in range(3):
                value = image[row, column, n] * g + np.float32(0.5)
                image[row, column, n] = np.uint8(min(value, np.float32(255)))


@njit(cache=True, nogil=True)
@no_type_check
def _blend(below, above, alpha, weight):
    for row in range(alpha.shape[0]):
        for column in range(alpha.shape[1]):
            a = alpha[row, column] * weight
            if a <= 0:
                continue
            for n in range(3):
                value = np.float32(below[row, column, n])
                value += a * (above[row, column, n] - value) + np.float32(0.5)
                below[row, column, n] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))
