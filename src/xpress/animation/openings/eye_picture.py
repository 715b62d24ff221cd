"""Pictures of single eyes with their lids and irises, in pixels of the eye crop."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from xpress.animation.openings.anatomy import Anatomy
from xpress.animation.warping.compositing import Box
from xpress.animation.warping.inpainting import crop_box
from xpress.media.eye_crop import (
    CORNERS,
    HEIGHT,
    WIDTH,
    eye_matrix,
    iris_map,
    lid_flow,
    lid_map,
    transform,
)
from xpress.structures import FaceParameters

LEAST_WIDTH = 0.8
"""Corner distance over the model's, at least: an eye seen from the side is as high as before."""
OVERSAMPLED = 1.5
"""Pixels of a shrunk picture to one of the crop, at least."""
MEETING = 0.75
"""Where lids meet that the face model leaves ajar: the lower one's share of the line."""
AJAR = 0.3
"""Share of that gap which stays: the labels of shut eyes have one too."""
LEAST_CLOSING = 0.02
"""Change of the opening's area over the squared width, at least, that a blink is taken to make."""
CROP_BOX = np.zeros(2), np.array([WIDTH - 1.0, HEIGHT - 1.0])
"""Opposite corners of the crop."""
CELLS = np.dstack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))).astype(np.float32)
"""The crop's pixels (x, y)."""


@dataclass(frozen=True)
class OpenEyes:
    """A picture of a target's face whose eyes are open.

    Attributes:
        image: RGB.
        parameters: of the face, in pixels of `image`.
    """

    image: UInt8[np.ndarray, "H W 3"]
    parameters: FaceParameters


@dataclass(frozen=True)
class FaceView:
    """A face in a picture, as far as its eyes need it; left eye first.

    Attributes:
        image: RGB.
        projected: vertices whose eyeballs look straight ahead, pixels.
        scale: pixels to a unit of the model.
        looks: shifts of the irises from straight ahead, pixels.
        blinks: activations of the blinks.
        closing: what a whole blink shifts the points of the lids by, pixels.
    """

    image: UInt8[np.ndarray, "H W 3"]
    projected: Float32[np.ndarray, "V 3"]
    scale: float
    looks: Float32[np.ndarray, "2 2"]
    blinks: Float32[np.ndarray, " 2"]
    closing: Float32[np.ndarray, "2 16 2"]


@dataclass(frozen=True)
class EyeShape:
    """Lids and iris in one frame of reference.

    Attributes:
        lids: 16 points from the outer corner over the upper lid and back below.
        iris: centre.
        radius: of the iris.
    """

    lids: Float[np.ndarray, "16 2"]
    iris: Float[np.ndarray, " 2"]
    radius: float

    def under(self, matrix: Float[np.ndarray, "2 3"]) -> EyeShape:
        """The shape in other pixels."""
        zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        return EyeShape(
            transform(matrix, self.lids), transform(matrix, self.iris), self.radius * zoom
        )

    @cached_property
    def maps(self) -> Float32[np.ndarray, "2 H W"]:
        """What the generator is told, of a shape in pixels of the crop."""
        return np.stack([lid_map(self.lids), iris_map(self.iris, self.radius)])

    @property
    def opening(self) -> float:
        """Area between the lids over the squared width."""
        return _opening(self.lids)


class EyeFit:
    """How the face model's vertices tell lids and iris of one eye of one picture.

    Its blink leaves lids ajar, some more than others: what would be left of the opening after a
    whole blink is taken away by the square of how far they have closed.

    Args:
        anatomy: of the face model.
        side: 0 for the face owner's left eye, 1 for the right.
        view: the face.

    Attributes:
        own: the eye as it is, pixels of the picture.
        matrix: pixels of the picture to pixels of the crop.
        width: pixels of the picture that become `EYE_WIDTH`.
        box: of the picture that the crop covers.
    """

    def __init__(self, anatomy: Anatomy, side: int, view: FaceView) -> None:
        self._surroundings, self._iris = anatomy.eyes[side], anatomy.irises[side]
        self._look = view.looks[side]
        lids = self._surroundings.rim(view.projected)
        outer, inner = (lids[corner] for corner in CORNERS)
        mean = self._surroundings.rim(anatomy.mean)
        usual = float(np.linalg.norm(mean[CORNERS[1]] - mean[CORNERS[0]])) * view.scale
        self.width = max(float(np.linalg.norm(inner - outer)), LEAST_WIDTH * usual)
        self.matrix = eye_matrix(outer, inner, side == 0, self.width)
        self.box = covered(self.matrix, *CROP_BOX)
        down = self.matrix[1, :2] / max(float(np.linalg.norm(self.matrix[1, :2])), 1e-9)
        opened = lids - view.blinks[side] * view.closing[side]
        self._left = _left_ajar(opened + view.closing[side], down)
        self._open, self._shut = _opening(opened), _opening(opened + view.closing[side])
        self.own = self.shape(view.projected, np.zeros(2, np.float32))

    def shape(
        self, projected: Float32[np.ndarray, "V 3"], turn: Float32[np.ndarray, " 2"]
    ) -> EyeShape:
        """Lids and iris in pixels.

        Args:
            projected: vertices whose eyeballs look straight ahead.
            turn: how far the iris has moved from the picture's.
        """
        corners, weights = self._iris
        iris = (projected[corners] * weights[..., None]).sum(1)[:, :2]
        radius = float(np.linalg.norm(iris[1:] - iris[0], axis=1).max())
        lids = self._surroundings.rim(projected)
        closed = (self._open - _opening(lids)) / max(self._open - self._shut, LEAST_CLOSING)
        lids = lids + min(max(closed, 0.0), 1.0) ** 2 * self._left
        return EyeShape(lids, iris[0] + self._look + turn, radius)


@dataclass(frozen=True)
class EyePicture:
    """A picture of an eye.

    Attributes:
        image: pixels around it, RGB.
        matrix: pixels of `image` to pixels of the crop.
        crop: RGB in [0, 1].
        shape: lids and iris in pixels of the crop.
    """

    image: UInt8[np.ndarray, "h w 3"]
    matrix: Float[np.ndarray, "2 3"]
    crop: Float32[np.ndarray, "H W 3"]
    shape: EyeShape

    @staticmethod
    def of(image: UInt8[np.ndarray, "H W 3"], fit: EyeFit) -> EyePicture:
        """The eye in a picture of the face."""
        patch, local = crop_box(image, fit.box), counted_from(fit.matrix, np.array(fit.box[:2]))
        return EyePicture(patch, local, cut_crop(patch, local), fit.own.under(fit.matrix))

    def flow(self, wanted: EyeShape) -> Float32[np.ndarray, "H W 2"]:
        """Where it shows what a wanted eye shows, roughly; see `lid_flow`."""
        return lid_flow(self.shape.lids, wanted.lids, wanted.iris - self.shape.iris)

    def moved(self, flow: Float32[np.ndarray, "H W 2"]) -> Float32[np.ndarray, "H W 3"]:
        """The crop under a flow."""
        x, y = flow[..., 0] + CELLS[..., 0], flow[..., 1] + CELLS[..., 1]
        return cv2.remap(self.crop, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def cut_crop(
    patch: UInt8[np.ndarray, "h w 3"], matrix: Float[np.ndarray, "2 3"]
) -> Float32[np.ndarray, "H W 3"]:
    """The crop of a patch, RGB in [0, 1].

    Large eyes are shrunk with area averaging first, so that the crop does not alias.
    """
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    shrink = max(int(1 / (zoom * OVERSAMPLED)), 1)
    if shrink > 1:
        height, width = patch.shape[:2]
        size = max(width // shrink, 1), max(height // shrink, 1)
        patch = cv2.resize(patch, size, interpolation=cv2.INTER_AREA)
        x, y = width / size[0], height / size[1]
        # shrunk pixel u is pixel x * (u + 0.5) - 0.5 of the patch
        shift = matrix[:, :2] @ (0.5 * np.array([x, y]) - 0.5) + matrix[:, 2]
        matrix = np.column_stack([matrix[:, :2] * (x, y), shift])
    crop = cv2.warpAffine(
        patch, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return crop.astype(np.float32) * np.float32(1 / 255)


def counted_from(
    matrix: Float[np.ndarray, "2 3"], corner: Int[np.ndarray, " 2"]
) -> Float[np.ndarray, "2 3"]:
    """The affine for pixels that are counted from a corner."""
    return np.column_stack([matrix[:, :2], transform(matrix, corner.astype(float))])


def _opening(lids: Float[np.ndarray, "16 2"]) -> float:
    x, y = lids.T
    area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    width = lids[CORNERS[1]] - lids[CORNERS[0]]
    return area / max(float(width @ width), 1e-6)


def _left_ajar(
    shut: Float[np.ndarray, "16 2"], down: Float[np.ndarray, " 2"]
) -> Float[np.ndarray, "16 2"]:
    """What brings together lids that a blink has left ajar, or made cross each other."""
    gap = (1 - AJAR) * ((shut[9:][::-1] - shut[1:8]) @ down)[:, None] * down
    moves = np.zeros_like(shut)
    moves[1:8], moves[9:] = MEETING * gap, -(1 - MEETING) * gap[::-1]
    return moves


def covered(
    matrix: Float[np.ndarray, "2 3"],
    low: Float[np.ndarray, " 2"],
    high: Float[np.ndarray, " 2"],
) -> Box:
    """The box of the image over a box of the crop, given by opposite corners."""
    (x0, y0), (x1, y1) = low, high
    corners = np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]])
    points = transform(cv2.invertAffineTransform(matrix), corners)
    start, stop = np.floor(points.min(0)).astype(int) - 1, np.ceil(points.max(0)).astype(int) + 2
    return int(start[0]), int(start[1]), int(stop[0]), int(stop[1])
