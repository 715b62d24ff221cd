"""Rasters over boxes of the image, and the way between their cells and pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32


@dataclass(frozen=True)
class Grid:
    """A raster laid over a box of the image.

    Attributes:
        box: x0, y0, x1, y1 in pixels, exclusive at the end; may reach beyond the image.
        size: (height, width) of the raster.
    """

    box: tuple[int, int, int, int]
    size: tuple[int, int]

    @staticmethod
    def over(low, high, zoom: float) -> Grid:
        """A raster of `zoom` cells to a pixel over the whole pixels between two corners."""
        x0, y0 = int(np.floor(low[0])), int(np.floor(low[1]))
        x1, y1 = max(int(np.ceil(high[0])), x0 + 4), max(int(np.ceil(high[1])), y0 + 4)
        size = max(round((y1 - y0) * zoom), 4), max(round((x1 - x0) * zoom), 4)
        return Grid((x0, y0, x1, y1), size)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the box in pixels."""
        x0, y0, x1, y1 = self.box
        return y1 - y0, x1 - x0

    @property
    def zoom(self) -> tuple[float, float]:
        """Cells per pixel along x and y."""
        height, width = self.shape
        return self.size[1] / width, self.size[0] / height

    @property
    def affine(self) -> tuple[float, float, float, float]:
        """Pixels to cells: zoom and shift along x, then along y."""
        zoom_x, zoom_y = self.zoom
        return (
            zoom_x,
            (0.5 - self.box[0]) * zoom_x - 0.5,
            zoom_y,
            (0.5 - self.box[1]) * zoom_y - 0.5,
        )

    def to_cells(self, projected: Float32[np.ndarray, "V 3"]) -> Float32[np.ndarray, "V 3"]:
        """Pixels to cells, keeping depth; cell and pixel centres are at integers."""
        zoom_x, shift_x, zoom_y, shift_y = self.affine
        cells = projected.copy()
        cells[:, 0] = projected[:, 0] * zoom_x + shift_x
        cells[:, 1] = projected[:, 1] * zoom_y + shift_y
        return cells

    def to_pixels(self, cells: np.ndarray) -> np.ndarray:
        """A map in cells resampled to the pixels of the box."""
        if self.size == self.shape:
            return cells
        shrinks = self.size[0] > self.shape[0]
        mode = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(cells, self.shape[::-1], interpolation=mode)
