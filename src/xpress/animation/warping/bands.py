"""Where each pixel of a frame comes from, a few rows at a time: they stay in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float32
from numba import njit

from xpress.animation.warping.compositing import Box
from xpress.animation.warping.raster import Grid

ROWS = 48
"""Of a band."""

Band = tuple[slice, tuple[np.ndarray, np.ndarray], Float32[np.ndarray, "h w"]]


def bands(
    maps: Float32[np.ndarray, "R C 3"],
    grid: Grid,
    box: Box,
    corner: tuple[int, int] = (0, 0),
    zoom: int = 1,
) -> Iterator[Band]:
    """Source positions for `cv2.remap` and gains, band by band from the top.

    Args:
        maps: backward flow in pixels and a third value, in the grid's cells.
        grid: no finer than its pixels.
        box: pixels of the grid's box that are wanted, counted from its first.
        corner: where that first pixel lies in the picture that is sampled.
        zoom: by which that picture has been enlarged.

    Yields:
        Rows of `box`; both maps of `cv2.remap` (`CV_16SC2` and `CV_16UC1`: it would convert others
        to them, slowly) into the enlarged picture; the third value.
    """
    x0, y0, x1, y1 = box
    if x1 <= x0 or y1 <= y0:
        return
    height, width = grid.shape
    tall = cv2.resize(maps, (maps.shape[1], height), interpolation=cv2.INTER_LINEAR)
    points = np.empty((min(ROWS, y1 - y0), x1 - x0, 2), np.float32)
    for top in range(y0, y1, ROWS):
        rows = slice(top - y0, min(top - y0 + ROWS, y1 - y0))
        count = rows.stop - rows.start
        fine = cv2.resize(tall[top : top + count], (width, count), interpolation=cv2.INTER_LINEAR)
        fine = fine[:, x0:x1]
        _positions(fine, corner[0] + x0, corner[1] + top, np.float32(zoom), points[:count])
        positions = cv2.convertMaps(points[:count], None, cv2.CV_16SC2)  # type: ignore[call-overload]
        yield rows, positions, fine[..., 2]


@njit(cache=True, nogil=True)
@no_type_check  # the import hook of the tests would hand numba a wrapper
def _positions(flow, left, top, zoom, out):
    """Where in a picture enlarged by `zoom` each pixel with this flow comes from."""
    half = (zoom - np.float32(1)) / np.float32(2)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            out[row, column, 0] = zoom * (np.float32(left + column) + flow[row, column, 0]) + half
            out[row, column, 1] = zoom * (np.float32(top + row) + flow[row, column, 1]) + half
