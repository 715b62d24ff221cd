"""The mouth's inside as a generator paints it, from the lips and the face around them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from xpress.animation.openings.anatomy import Anatomy
from xpress.animation.openings.mouth import MouthOpening
from xpress.animation.openings.opening import color_share, tinted
from xpress.animation.openings.teeth import TeethView, better
from xpress.animation.warping.compositing import blend, inside, intersect
from xpress.animation.warping.raster import Grid
from xpress.media.crop import Crop
from xpress.media.mouth_crop import mouth_crop, teeth_masks

GROWTH = 2.0
"""Pixels of the crop by which the painted hole is larger than the one that is shown."""
BEYOND = 1e3
"""Distance that is given to what lies outside the close-up."""
FULL, REACH = 1.0, 3.0
"""Pixels of the crop outside the hole up to which it is shown in full, and where that ends."""
STEP = 0.03
"""Between two sides of the crop, of their logarithm."""
OVERSAMPLED = 1.25
"""Pixels of a shrunk picture to one of the crop, at least."""


@runtime_checkable
class MouthPainter(Protocol):
    """Paints mouth crops; see `mouth_generator.MouthGeneratorSession`."""

    size: int
    ratio: float

    def __call__(
        self,
        picture: UInt8[np.ndarray, "S S 3"],
        hole: Float32[np.ndarray, "S S"],
        teeth: UInt8[np.ndarray, "2 S S"],
        reference: UInt8[np.ndarray, "2 S S 4"],
    ) -> tuple[Float32[np.ndarray, "S S 3"], Float32[np.ndarray, "S S 2"]]:
        """Paint a crop where the hole is one and a little around it.

        Args:
            picture: RGB.
            hole: one where it is to be painted.
            teeth: see `mouth_crop.teeth_masks`.
            reference: see `mouth_crop.reference_layers`.

        Returns:
            RGB 0 to 255, and the share of each layer of the reference in it.
        """


class GeneratedMouth(MouthOpening):
    """Shows what a generator paints between new lips, and keeps the target's own teeth in mind.

    One face: what a frame of a video shows of its teeth is there in all that follow.

    Args:
        anatomy: of the face model.
        albedo: (V, 3) colours of the face model in [0, 1].
        painter: the generator.
    """

    def __init__(
        self, anatomy: Anatomy, albedo: Float32[np.ndarray, "V 3"], painter: MouthPainter
    ) -> None:
        super().__init__(anatomy, albedo)
        self._lips, self._teeth = anatomy.lips, anatomy.teeth
        self.painter = painter
        self._view: TeethView | None = None

    def _prepare(self, own, projected, light) -> None:
        fragments = self.close_up.draw(projected)
        self._prepare_lips(own, projected, fragments)
        self._color_share = color_share(own)
        self._own_crop = crop = self._canonical(projected)
        (x, y), reach = crop.center, crop.side
        self._area = int(x - reach), int(y - reach), int(x + reach) + 1, int(y + reach) + 1
        # One factor for all frames: another one would be another picture.
        self._shrink = max(int(crop.side / crop.size / OVERSAMPLED), 1)
        hole, share = self.hole(fragments)
        if share > 0:
            depth = cv2.distanceTransform(hole, cv2.DIST_L2, 5)
            depth = depth * np.float32(crop.zoom / self.grid.zoom[0])
            view = TeethView.of(own, depth, self.grid, crop, self._rows(projected))
            self._view = better(self._view, view)

    def paint(self, projected, flow, over, below):
        """As `Opening.paint`; the generator is called only where the mouth is open."""
        fragments = self.close_up.draw(projected)
        skin, change = self._moved_skin(fragments, projected, flow, over)
        color = self.grid.to_pixels(skin * (1 + change[..., None]))
        hole, share = self.hole(fragments)
        if share == 0:
            return color, self._fade
        crop = self._crop(projected)
        # In pixels of the crop, as the generator's habits are.
        distance = cv2.distanceTransform(1 - hole, cv2.DIST_L2, 5)
        distance = distance * np.float32(crop.zoom / self.grid.zoom[0])
        alpha = self.grid.to_pixels(_faded(distance) * np.float32(share))
        unknown = self._in_crop(distance, crop, BEYOND) <= GROWTH
        around = self._around(crop, color, over, below)
        rows = self._rows(projected)
        painted, taken = self._painted(around, unknown, crop, rows)
        self._lay(painted, taken, crop, alpha, color, rows)
        return color, self._fade

    def _painted(self, around, unknown, crop: Crop, rows) -> tuple[np.ndarray, np.ndarray]:
        rows, size = crop.to_crop(rows), crop.size
        reference = np.zeros((2, size, size, 4), np.uint8)
        if self._view is not None:
            reference = self._view.layers(rows, size)
        hole = unknown.astype(np.float32)
        painted, taken = self.painter(around, hole, teeth_masks(rows, size), reference)
        return tinted(painted, self._color_share), taken

    def _rows(self, projected: Float32[np.ndarray, "V 3"]) -> Float64[np.ndarray, "2 2 N 2"]:
        """The rows of teeth in pixels of the picture."""
        return projected[self._teeth, :2].astype(np.float64)

    def _canonical(self, projected: Float32[np.ndarray, "V 3"]) -> Crop:
        corners, weights = self._lips
        lips = (projected[corners] * weights[..., None]).sum(1)[:, :2]
        return mouth_crop(lips.astype(np.float64), self.painter.ratio, self.painter.size)

    def _crop(self, projected: Float32[np.ndarray, "V 3"]) -> Crop:
        """The canonical crop on a lattice: what trembles a little is cut and painted the same."""
        crop, own = self._canonical(projected), self._own_crop
        side = own.side * float(np.exp(STEP * round(np.log(crop.side / own.side) / STEP)))
        pixel = own.side / own.size
        x, y = (round(v / pixel) * pixel for v in crop.center)
        return Crop((x, y), side, crop.size)

    def _around(self, crop: Crop, color, over: Grid, below) -> UInt8[np.ndarray, "S S 3"]:
        """The crop of the face as it will be, but for the mouth's inside.

        Large faces are shrunk on a raster that stays where it is, so that the crop neither
        aliases nor flickers.
        """
        box = intersect(over.box, self._area)
        patch = below[inside(over.box, box)].copy()
        shared = intersect(self.grid.box, box)
        rows, columns = inside(self.grid.box, shared)
        blend(patch[inside(box, shared)], color[rows, columns], self._fade[rows, columns])
        height, width = patch.shape[:2]
        size = max(width // self._shrink, 1), max(height // self._shrink, 1)
        if size != (width, height):
            patch = cv2.resize(patch, size, interpolation=cv2.INTER_AREA)
        zoom = Grid(box, size[::-1]).affine
        matrix = crop.matrix @ _inverse(zoom)
        square = crop.size, crop.size
        return cv2.warpAffine(
            patch, matrix, square, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )

    def _in_crop(
        self, cells: Float32[np.ndarray, "h w"], crop: Crop, beyond: float
    ) -> Float32[np.ndarray, "S S"]:
        """A smooth map of the close-up in pixels of the crop; a mask would alias."""
        return cv2.warpAffine(
            cells,
            crop.matrix @ _inverse(self.grid.affine),
            (crop.size, crop.size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=beyond,
        )

    def _lay(self, painted, taken, crop: Crop, alpha, color, rows) -> None:
        """Mix the painted crop into the box's colours in place, finer where the target is."""
        x, y, width, height = cv2.boundingRect((alpha > 0).astype(np.uint8))
        box = np.s_[y : y + height, x : x + width]
        matrix = crop.matrix
        matrix[:, 2] += matrix[:, :2] @ (self.grid.box[0] + x, self.grid.box[1] + y)
        interpolation = cv2.INTER_CUBIC
        if crop.zoom > 1:  # the picture is coarser than the crop
            painted = cv2.GaussianBlur(painted, (0, 0), 0.5 * float(np.sqrt(crop.zoom**2 - 1)))
            interpolation = cv2.INTER_LINEAR
        shown = cv2.warpAffine(
            painted,
            matrix,
            (width, height),
            flags=interpolation | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        if self._view is not None and crop.zoom < 1:
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            share = cv2.warpAffine(taken, matrix, (width, height), flags=flags)
            self._view.add_detail(shown, share, rows - self.grid.box[:2] - np.array([x, y]))
        np.clip(shown, 0, 255, out=shown)
        color[box] += alpha[box][..., None] * (shown - color[box])


def _faded(distance: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """One in the hole, falling to zero over the rim."""
    x = np.clip((REACH - distance) / (REACH - FULL), 0, 1)
    return x * x * (3 - 2 * x)


def _inverse(affine: tuple[float, float, float, float]) -> Float64[np.ndarray, "3 3"]:
    """The way back of a zoom and shift along x and y."""
    zoom_x, shift_x, zoom_y, shift_y = affine
    return np.array(
        [[1 / zoom_x, 0, -shift_x / zoom_x], [0, 1 / zoom_y, -shift_y / zoom_y], [0, 0, 1]]
    )
