"""An opening of the face: skin moves over an interior that does not follow it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TypeVar, no_type_check

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numba import njit

from xpress.animation.openings.anatomy import SKIN
from xpress.animation.openings.close_up import CloseUp, CloseUpFragments
from xpress.animation.warping.backward_flow import sample
from xpress.animation.warping.inpainting import crop_box
from xpress.animation.warping.raster import Grid
from xpress.animation.warping.relighting import LUMA

FEATHER = 0.9
"""Blur of an opening's edge, pixels."""
FADE = 0.06
"""Share of a patch's side over which it joins the frame."""


SKIN_CHROMA = 12.0
"""Mean spread of the channels (0 to 255) from which a picture counts as coloured."""


Same = TypeVar("Same", bound="Opening")


@dataclass(frozen=True)
class Interior:
    """What an opening shows, in the cells of its close-up.

    Attributes:
        color: RGB 0 to 255.
        alpha: how much of each cell it covers.
    """

    color: Float32[np.ndarray, "h w 3"]
    alpha: Float32[np.ndarray, "h w"]


class Opening:
    """Prepares an opening of a target's face and paints it with new vertices.

    Args:
        close_up: of the opening.
    """

    def __init__(self, close_up: CloseUp) -> None:
        self.close_up = close_up

    def twin(self: Same) -> Same:
        """The same opening of the same target, for another thread."""
        other = copy.copy(self)
        other.close_up = self.close_up.twin()
        return other

    skin: UInt8[np.ndarray, "h w 3"]
    """The target with skin in place of the opening, in pixels of the grid's box."""

    @property
    def grid(self) -> Grid:
        """The raster around the opening."""
        return self.close_up.grid

    def set_target(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        projected: Float32[np.ndarray, "V 3"],
        light: Float32[np.ndarray, " 3"],
    ) -> None:
        """Look at the target's opening.

        Args:
            image: the target.
            projected: its vertices in pixels.
            light: mean shading of the skin around, per channel.
        """
        self.close_up.place(projected)
        own = crop_box(image, self.grid.box)
        corner = np.array([*self.grid.box[:2], 0], np.float32)
        self._own_points = (projected - corner)[self.close_up.vertices][:, :2].copy()
        self._fade = _border_fade(self.grid.shape)
        self._prepare(own, projected, light)

    def _prepare(self, own, projected, light) -> None:
        raise NotImplementedError

    def interior(
        self, fragments: CloseUpFragments, projected: Float32[np.ndarray, "V 3"]
    ) -> Interior | None:
        """What new vertices show inside the opening; None if it is closed."""
        raise NotImplementedError

    def paint(
        self,
        projected: Float32[np.ndarray, "V 3"],
        flow: Float32[np.ndarray, "R C 3"],
        over: Grid,
        below: UInt8[np.ndarray, "H W 3"],
    ) -> tuple[Float32[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"]]:
        """The opening with new vertices.

        Args:
            projected: new vertices in pixels.
            flow: flow in pixels and the shading's relative change, for where the close-up
                sees no trusted skin.
            over: the raster of `flow`.
            below: the warped skin that the opening will be laid over, in pixels of `over`'s box.

        Returns:
            Colours 0 to 255 in pixels of the box and how far they hold, fading at its border.
        """
        fragments = self.close_up.draw(projected)
        skin, change = self._moved_skin(fragments, projected, flow, over)
        inner = self.interior(fragments, projected)
        color = np.empty((*fragments.part.shape, 3), np.float32)
        if inner is None:
            _mix(skin, change, color, np.zeros(fragments.part.shape, np.float32), color)
        else:
            _mix(skin, change, inner.color, self.feather(inner.alpha), color)
        return self.grid.to_pixels(color), self._fade

    def feather(self, alpha: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
        """A soft edge on the skin's side: inside there is no skin to mix with."""
        soft = cv2.GaussianBlur(alpha, (0, 0), FEATHER * self.grid.zoom[0])
        return np.minimum(2 * soft, alpha.max())

    def _moved_skin(
        self, fragments: CloseUpFragments, projected, flow, over: Grid
    ) -> tuple[np.ndarray, np.ndarray]:
        """Skin without the opening in the close-up's cells, and its shading's change."""
        local = _resample(flow, over, self.grid)
        points = np.ascontiguousarray(local[..., :2])
        _add_positions(points, *self._cell_affine())
        _own_positions(fragments, self.close_up.triangles, self._own_points, points)
        skin = sample(self.skin, points)
        return skin, local[..., 2]

    def _cell_affine(self) -> tuple[float, float, float, float]:
        """Pixels of the box at cell (column, row): a * column + b, c * row + d."""
        zx, zy = self.grid.zoom
        return 1 / zx, 0.5 / zx - 0.5, 1 / zy, 0.5 / zy - 0.5


def color_share(picture: UInt8[np.ndarray, "h w 3"]) -> float:
    """How coloured a picture of skin is: 1 as usual, 0 for a black-and-white photograph."""
    chroma = float(np.ptp(picture.astype(np.int16), axis=2).mean())
    return min(chroma / SKIN_CHROMA, 1.0)


def tinted(colors: Float32[np.ndarray, "*N 3"], share: float) -> Float32[np.ndarray, "*N 3"]:
    """Colours with a share of their own colour: nothing red in a black-and-white photograph."""
    if share == 1:
        return colors
    grey = (colors @ LUMA)[..., None]
    return (grey + np.float32(share) * (colors - grey)).astype(np.float32)


def _own_positions(fragments: CloseUpFragments, triangles, own, points) -> None:
    """Where the target shows the skin that is seen in each cell."""
    _fill_positions(
        fragments.part, fragments.face_index, fragments.barycentrics, triangles, own, points
    )


def _resample(maps: np.ndarray, source: Grid, target: Grid) -> Float32[np.ndarray, "h w C"]:
    """Maps of one raster in the cells of another."""
    (zx, zy), (sx, sy) = target.zoom, source.zoom
    ox, oy = target.box[0] - source.box[0], target.box[1] - source.box[1]
    matrix = np.array(
        [
            [sx / zx, 0, (0.5 / zx + ox) * sx - 0.5],
            [0, sy / zy, (0.5 / zy + oy) * sy - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = target.size[::-1]
    return cv2.warpAffine(maps, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _border_fade(size: tuple[int, int]) -> Float32[np.ndarray, "h w"]:
    """One inside, falling to zero at a patch's border."""
    ramps = []
    for length in size:
        position = np.arange(length, dtype=np.float32) + 0.5
        ramps.append(np.clip(np.minimum(position, length - position) / (FADE * length), 0, 1))
    return ramps[0][:, None] * ramps[1][None]


@njit(cache=True, nogil=True)
@no_type_check  # the import hook of the tests would hand numba a wrapper
def _add_positions(points, a, b, c, d):
    for row in range(points.shape[0]):
        for column in range(points.shape[1]):
            points[row, column, 0] += np.float32(a * column + b)
            points[row, column, 1] += np.float32(c * row + d)


@njit(cache=True, nogil=True)
@no_type_check
def _fill_positions(part, face_index, barycentrics, triangles, own, points):
    for row in range(part.shape[0]):
        for column in range(part.shape[1]):
            if part[row, column] != SKIN:
                continue
            f = face_index[row, column]
            x = y = np.float32(0)
            for n in range(3):
                w, v = barycentrics[row, column, n], triangles[f, n]
                x += w * own[v, 0]
                y += w * own[v, 1]
            points[row, column, 0] = x
            points[row, column, 1] = y


@njit(cache=True, nogil=True)
@no_type_check
def _mix(skin, change, color, alpha, out):
    for row in range(alpha.shape[0]):
        for column in range(alpha.shape[1]):
            a, g = alpha[row, column], np.float32(1) + change[row, column]
            for n in range(3):
                value = skin[row, column, n] * g
                if a > 0:
                    value += a * (color[row, column, n] - value)
                out[row, column, n] = value
