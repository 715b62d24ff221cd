"""The target's own teeth: the picture that shows most of them, laid on new rows of teeth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from xpress.animation.warping.raster import Grid
from xpress.media.crop import Crop
from xpress.media.mouth_crop import MOUTH_RATIO, reference_layers, row_alignment, shown_teeth

EDGE = 1.5
"""Pixels of the crop from the lips that are not shown: the mesh meets their edge roughly."""
SEEN = 0.006
"""Area of teeth over the squared width of the lips: with less a picture says nothing of them."""
BETTER = 1.3
"""How many times more of the teeth another frame has to show to be taken instead."""
CALM = 0.6
"""Blur of a view's fine detail before it is subtracted, pixels of the crop."""


@dataclass(frozen=True)
class TeethView:
    """Teeth in one picture.

    Attributes:
        picture: the mouth's crop; RGB, and 255 between the lips, zero elsewhere.
        rows: of the teeth in its pixels, see `xpress.morphable.teeth`.
        shown: area of teeth over the squared width of the lips.
        detail: what the picture itself shows between the lips and its crop is too coarse for,
            RGB of 255; None where the crop is as fine.
        detail_rows: of the teeth in its pixels.
    """

    picture: UInt8[np.ndarray, "S S 4"]
    rows: Float[np.ndarray, "2 2 N 2"]
    shown: float
    detail: Float32[np.ndarray, "h w 3"] | None
    detail_rows: Float[np.ndarray, "2 2 N 2"]

    @staticmethod
    def of(
        own: UInt8[np.ndarray, "h w 3"],
        depth: Float32[np.ndarray, "R C"],
        grid: Grid,
        crop: Crop,
        rows: Float[np.ndarray, "2 2 N 2"],
    ) -> TeethView | None:
        """What a target shows; None where it is nothing.

        Args:
            own: pixels of the grid's box.
            depth: how far inside the lips each of the grid's cells is, pixels of the crop.
            grid: of the mouth.
            crop: around the mouth, in pixels of the picture.
            rows: of the teeth, likewise.
        """
        local = crop.matrix
        local[:, 2] += local[:, :2] @ grid.box[:2]
        size = crop.size, crop.size
        fitting = Crop(tuple(np.subtract(crop.center, grid.box[:2])), crop.side, crop.size)
        pixels = fitting.cut(own)
        deep = cv2.warpAffine(grid.to_pixels(depth), local, size, flags=cv2.INTER_LINEAR)
        inside = (deep > EDGE).astype(np.uint8)
        shown = shown_teeth(pixels, inside, crop.size / MOUTH_RATIO)
        if shown < SEEN:
            return None
        picture = np.dstack([pixels, np.full_like(inside, 255)]) * inside[..., None]
        return TeethView(
            picture,
            rows @ crop.matrix[:, :2].T + crop.matrix[:, 2],
            shown,
            _detail(own, grid.to_pixels(depth), pixels, local) if crop.zoom < 1 else None,
            rows - grid.box[:2],
        )

    def layers(self, rows: Float[np.ndarray, "2 2 N 2"], size: int) -> UInt8[np.ndarray, "2 S S 4"]:
        """The view laid on new rows in pixels of a crop, by its upper and by its lower teeth."""
        return reference_layers(self.picture, self.rows, rows, size)

    def add_detail(
        self,
        color: Float32[np.ndarray, "h w 3"],
        share: Float32[np.ndarray, "h w 2"],
        rows: Float[np.ndarray, "2 2 N 2"],
    ) -> None:
        """Add fine detail in place where the view is shown.

        Args:
            color: RGB of 255.
            share: how much of it is the view by its upper teeth, and by its lower ones.
            rows: of the teeth in pixels of `color`.
        """
        if self.detail is None:
            return
        for number in range(2):
            matrix = row_alignment(self.detail_rows[number], rows[number])
            if matrix is not None and share[..., number].any():
                fine = cv2.warpAffine(self.detail, matrix, share.shape[1::-1])
                color += share[..., number, None] * fine


def better(old: TeethView | None, new: TeethView | None) -> TeethView | None:
    """The view to keep; a new one only where it shows clearly more, so that little changes."""
    if old is None or new is None:
        return old or new
    return new if new.shown > BETTER * old.shown else old


def _detail(own, depth, pixels, matrix) -> Float32[np.ndarray, "h w 3"]:
    """What is lost from a picture by the crop of it, between the lips."""
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    calm = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), CALM)
    coarse = cv2.warpAffine(
        calm, matrix, own.shape[1::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return (own - coarse) * np.clip(depth - EDGE, 0, 1)[..., None]
