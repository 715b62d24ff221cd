"""Eyes as a generator moves and paints them: lids, lashes, sclera and iris."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from xpress.animation.openings.anatomy import Anatomy
from xpress.animation.warping.compositing import Box, blend, inside, intersect
from xpress.animation.warping.inpainting import crop_box
from xpress.media.eye_crop import (
    CENTER,
    CORNERS,
    EYE_WIDTH,
    FLOW_SCALE,
    HEIGHT,
    WIDTH,
    eye_matrix,
    iris_map,
    lid_flow,
    lid_map,
    painted_region,
    transform,
)

LEAST_WIDTH = 0.8
"""Corner distance over the model's, at least: an eye seen from the side is as high as before."""
OVERSAMPLED = 1.5
"""Pixels of a shrunk picture to one of the crop, at least."""
FINE = 40.0
"""Pixels of an eye from which its own pixels are sampled linearly, for want of finer detail."""
IRIS_ROOM = (0.7, 0.45)
"""Radii that the iris's centre keeps from the corners, and eye widths from the line between
them."""
STILL, MOVED = 0.006, 0.04
"""Motion of lids or iris over the eye's width: below the first, the warped picture is left;
above the second, the eye is painted."""


CELLS = np.dstack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))).astype(np.float32)
"""The crop's pixels (x, y)."""
SHUT, AJAR = 0.35, 0.65
"""Opening of the target's eye over that of its widest seen: up to the first the widest one is the
reference, from the second the eye itself, between them both."""


@runtime_checkable
class EyePainter(Protocol):
    """Edits eye crops; see `eye_generator.EyeGeneratorSession`."""

    def __call__(
        self,
        around: Float32[np.ndarray, "N H W 3"],
        reference: Float32[np.ndarray, "N H W 3"],
        moved: Float32[np.ndarray, "N H W 3"],
        maps: Float32[np.ndarray, "N 4 H W"],
    ) -> Float32[np.ndarray, "N H W 6"]:
        """Flow, mask and colour of each crop."""


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

    def maps(self) -> Float32[np.ndarray, "2 H W"]:
        """What the generator is told, of a shape in pixels of the crop."""
        return np.stack([lid_map(self.lids), iris_map(self.iris, self.radius)])

    @property
    def opening(self) -> float:
        """Area between the lids over the squared width."""
        x, y = self.lids.T
        area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
        width = self.lids[CORNERS[1]] - self.lids[CORNERS[0]]
        return area / max(float(width @ width), 1e-6)


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

    def flow(self, wanted: EyeShape) -> Float32[np.ndarray, "H W 2"]:
        """Where it shows what a wanted eye shows, roughly; see `lid_flow`."""
        return lid_flow(self.shape.lids, wanted.lids, wanted.iris - self.shape.iris)

    def moved(self, flow: Float32[np.ndarray, "H W 2"]) -> Float32[np.ndarray, "H W 3"]:
        """The crop under a flow."""
        return cv2.remap(
            self.crop, flow + CELLS, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )


class PaintedEye:
    """One eye of a target.

    Args:
        anatomy: of the face model.
        side: 0 for the face owner's left eye, 1 for the right.
    """

    def __init__(self, anatomy: Anatomy, side: int) -> None:
        self.left = side == 0
        self._widest: EyePicture | None = None
        self._surroundings, self._iris = anatomy.eyes[side], anatomy.irises[side]
        mean = self._surroundings.rim(anatomy.mean)
        self._width = float(np.linalg.norm(mean[CORNERS[1]] - mean[CORNERS[0]]))

    def shape(
        self, projected: Float32[np.ndarray, "V 3"], look: Float32[np.ndarray, " 2"]
    ) -> EyeShape:
        """Lids and iris in pixels.

        Args:
            projected: vertices whose eyeballs look straight ahead.
            look: shift of the iris from there.
        """
        corners, weights = self._iris
        iris = (projected[corners] * weights[..., None]).sum(1)[:, :2]
        radius = float(np.linalg.norm(iris[1:] - iris[0], axis=1).max())
        return EyeShape(self._surroundings.rim(projected), iris[0] + look, radius)

    def set_target(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        projected: Float32[np.ndarray, "V 3"],
        scale: float,
        look: Float32[np.ndarray, " 2"],
        follows: bool = False,
    ) -> None:
        """Look at the target's eye.

        Args:
            image: the target.
            projected: its vertices in pixels.
            scale: pixels to a unit of the model.
            look: shift of the iris from straight ahead, pixels.
            follows: whether it is another frame of the last target's video.
        """
        own = self.shape(projected, look)
        self._look = look
        outer, inner = (own.lids[corner] for corner in CORNERS)
        length = float(np.linalg.norm(inner - outer))
        width = max(length, LEAST_WIDTH * self._width * scale)
        self.matrix = eye_matrix(outer, inner, self.left, width)
        self.width = width
        self.box = _covered(self.matrix)
        corner = np.array(self.box[:2])
        local = _moved_to(self.matrix, corner)
        patch = crop_box(image, self.box)
        crop = cut_crop(patch, local)
        self._own = own
        self.own = EyePicture(patch, local, crop, own.under(self.matrix))
        if not follows or self._widest is None or own.opening >= self._widest.shape.opening:
            self._widest = replace(self.own, image=patch.copy())
        self._alpha = _in_box(painted_region(), local, self.box)
        rows, columns = np.indices(self._alpha.shape, np.float32)
        self._places = transform(local, np.stack([columns, rows], -1)).astype(np.float32)

    def references(self) -> list[tuple[EyePicture, float]]:
        """What the eye is painted from, and the shares of that."""
        widest = self._widest
        assert widest is not None
        ratio = self.own.shape.opening / max(widest.shape.opening, 1e-6)
        x = min(max((AJAR - ratio) / (AJAR - SHUT), 0.0), 1.0)
        share = x * x * (3 - 2 * x)
        found = [(self.own, 1 - share), (widest, share)]
        return [(picture, part) for picture, part in found if part > 0]

    def turned(
        self, projected: Float32[np.ndarray, "V 3"], turn: Float32[np.ndarray, " 2"]
    ) -> EyeShape:
        """The shape with new vertices and an iris that has moved from the target's."""
        return self.shape(projected, self._look + turn)

    def motion(self, shape: EyeShape) -> float:
        """How far lids or iris have left the target's own, in [0, 1]."""
        largest = max(
            float(np.abs(shape.lids - self._own.lids).max()),
            float(np.abs(shape.iris - self._own.iris).max()),
        )
        x = min(max((largest / self.width - STILL) / (MOVED - STILL), 0.0), 1.0)
        return x * x * (3 - 2 * x)

    def wanted(self, shape: EyeShape) -> EyeShape:
        """A new shape in pixels of the crop, its iris between the corners."""
        new, own = shape.under(self.matrix), self.own.shape
        room = IRIS_ROOM[0] * own.radius
        low = np.array([new.lids[CORNERS[0], 0] + room, CENTER[1] - IRIS_ROOM[1] * EYE_WIDTH])
        high = np.array([new.lids[CORNERS[1], 0] - room, CENTER[1] + IRIS_ROOM[1] * EYE_WIDTH])
        # Where the target's own iris lies further out, it may stay there.
        low, high = np.minimum(low, own.iris), np.maximum(high, own.iris)
        return EyeShape(new.lids, new.iris.clip(low, high), new.radius)

    def around(self, skin: UInt8[np.ndarray, "h w 3"], over: Box) -> Float32[np.ndarray, "H W 3"]:
        """The crop of the warped skin, grey in the region that is painted."""
        x, y = over[0], over[1]
        box = self.box[0] - x, self.box[1] - y, self.box[2] - x, self.box[3] - y
        crop = cut_crop(crop_box(skin, box), self.own.matrix)
        crop[painted_region() > 0] = 0.5
        return crop

    def lay(
        self,
        skin: UInt8[np.ndarray, "h w 3"],
        over: Box,
        color: Float32[np.ndarray, "h w 3"],
        weight: float,
    ) -> None:
        """Lay a painted box over warped skin in place.

        Args:
            skin: pixels of the box `over`.
            over: x0, y0, x1, y1 in pixels of the image.
            color: of this eye's box, see `edited`.
            weight: of the painting.
        """
        shared = intersect(self.box, over)
        if shared[2] > shared[0] and shared[3] > shared[1]:
            part, place = inside(self.box, shared), inside(over, shared)
            blend(skin[place], color[part], self._alpha[part], weight)

    def edited(
        self,
        reference: EyePicture,
        flow: Float32[np.ndarray, "H W 2"],
        edit: Float32[np.ndarray, "H W 6"],
    ) -> Float32[np.ndarray, "h w 3"]:
        """The painted box, RGB 0 to 255.

        Args:
            reference: what is moved.
            flow: into its crop, pixels.
            edit: of that, as the generator gives it.
        """
        moves = np.dstack([flow + FLOW_SCALE * edit[..., :2], _sigmoid(edit[..., 2])])
        moves = _in_box(moves, self.own.matrix, self.box)
        painted = _in_box(_sigmoid(edit[..., 3:]) * np.float32(255), self.own.matrix, self.box)
        places = self._places + moves[..., :2]
        back = cv2.invertAffineTransform(reference.matrix)
        points = (places @ back[:, :2].T + back[:, 2]).astype(np.float32)
        smooth = self.width >= FINE
        shown = cv2.remap(
            reference.image,
            points[..., 0],
            points[..., 1],
            cv2.INTER_LINEAR if smooth else cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        ).astype(np.float32)
        return shown + moves[..., 2:] * (painted - shown)


class PaintedEyes:
    """Both eyes of a target.

    Args:
        anatomy: of the face model.
        painter: the generator.
    """

    def __init__(self, anatomy: Anatomy, painter: EyePainter) -> None:
        self.eyes = [PaintedEye(anatomy, side) for side in range(2)]
        self.painter = painter

    def set_target(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        projected: Float32[np.ndarray, "V 3"],
        scale: float,
        looks: Float32[np.ndarray, "2 2"],
        follows: bool = False,
    ) -> None:
        """As `PaintedEye.set_target`, the left eye first."""
        for eye, look in zip(self.eyes, looks, strict=True):
            eye.set_target(image, projected, scale, look, follows)

    def paint(
        self,
        skin: UInt8[np.ndarray, "h w 3"],
        over: Box,
        projected: Float32[np.ndarray, "V 3"],
        turns: Float32[np.ndarray, "2 2"],
    ) -> None:
        """Paint the eyes that have moved, in place.

        Args:
            skin: the warped face, pixels of the box `over`.
            over: x0, y0, x1, y1 in pixels of the image.
            projected: new vertices in pixels.
            turns: how far each iris has moved from the target's, pixels.
        """
        moved, given, flows = [], [], []
        for eye, turn in zip(self.eyes, turns, strict=True):
            shape = eye.turned(projected, turn)
            weight = eye.motion(shape)
            if weight == 0:
                continue
            references = eye.references()
            moved.append((eye, weight, references))
            around, wanted = eye.around(skin, over), eye.wanted(shape)
            for picture, _ in references:
                maps = np.concatenate([picture.shape.maps(), wanted.maps()])
                flows.append(picture.flow(wanted))
                given.append((around, picture.crop, picture.moved(flows[-1]), maps))
        if not moved:
            return
        edits = self.painter(*(np.stack(column) for column in zip(*given, strict=True)))
        moves = iter(zip(flows, edits, strict=True))
        for eye, weight, references in moved:
            layers = [share * eye.edited(picture, *next(moves)) for picture, share in references]
            eye.lay(skin, over, sum(layers[1:], layers[0]).astype(np.float32), weight)


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


def _covered(matrix: Float[np.ndarray, "2 3"]) -> Box:
    """The box of the image that the crop covers."""
    corners = np.array([[0, 0], [WIDTH - 1, 0], [0, HEIGHT - 1], [WIDTH - 1, HEIGHT - 1]], float)
    points = transform(cv2.invertAffineTransform(matrix), corners)
    x0, y0 = np.floor(points.min(0)).astype(int) - 1
    x1, y1 = np.ceil(points.max(0)).astype(int) + 2
    return int(x0), int(y0), int(x1), int(y1)


def _moved_to(
    matrix: Float[np.ndarray, "2 3"], corner: Int[np.ndarray, " 2"]
) -> Float[np.ndarray, "2 3"]:
    """The affine for pixels that are counted from a corner."""
    return np.column_stack([matrix[:, :2], transform(matrix, corner.astype(float))])


def _in_box(maps: Float32[np.ndarray, "H W *C"], matrix, box: Box) -> Float32[np.ndarray, "h w *C"]:
    """Maps of the crop in pixels of the box."""
    return cv2.warpAffine(
        maps,
        matrix,
        (box[2] - box[0], box[3] - box[1]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _sigmoid(values: Float32[np.ndarray, "*N"]) -> Float32[np.ndarray, "*N"]:
    return 1 / (1 + np.exp(-values))
