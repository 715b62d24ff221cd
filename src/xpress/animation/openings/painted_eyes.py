"""Eyes as a generator moves and paints them: lids, lashes, sclera and iris."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from xpress.animation.openings.anatomy import Anatomy
from xpress.animation.openings.eye_picture import (
    EyeFit,
    EyePicture,
    EyeShape,
    FaceView,
    counted_from,
    covered,
    cut_crop,
)
from xpress.animation.openings.opening import color_share, tinted
from xpress.animation.warping.compositing import Box, blend, inside, intersect
from xpress.animation.warping.inpainting import crop_box
from xpress.media.eye_crop import (
    CENTER,
    CORNERS,
    EYE_WIDTH,
    FLOW_SCALE,
    REGION_AXES,
    REGION_CENTER,
    painted_region,
    transform,
)

LEAP = 1.0
"""Change of the flow from one pixel of the crop to the next, pixels, from which it is torn."""
REGION_BOX = (np.subtract(REGION_CENTER, REGION_AXES), np.add(REGION_CENTER, REGION_AXES))
"""Opposite corners of what is painted, pixels of the crop."""
FINE = 40.0
"""Pixels of an eye from which its own pixels are sampled linearly, for want of finer detail."""
IRIS_ROOM = (0.7, 0.45)
"""Radii that the iris's centre keeps from the corners, and eye widths from the line between
them."""
STILL, MOVED = 0.01, 0.05
"""Motion of lids or iris over the eye's width: below the first, the warped picture is left;
above the second, the eye is painted."""
GLANCE = 2.5
"""How much sooner a turning iris counts than a lid: the warped picture does not turn it at all."""
SHUT, AJAR = 0.35, 0.65
"""Opening of the target's eye over that of the picture with open eyes: up to the first that one is
the reference, from the second the eye itself, between them both."""
OPENED = 0.3
"""As much of that picture's opening has to be added before it is the only reference."""


LED = 1.3
"""How far an iris is led over where it is to be: the generator, which learned from irises that were
told wrongly, takes it three quarters of the way, as another tracker reads the outputs."""


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


class PaintedEye:
    """One eye of a target.

    Args:
        fit: of the face model's vertices to it.
        image: the target.
        opened: the same eye in a picture where it is open, for targets whose eyes are shut.
    """

    def __init__(
        self, fit: EyeFit, image: UInt8[np.ndarray, "H W 3"], opened: EyePicture | None = None
    ) -> None:
        self.fit, self.width = fit, fit.width
        self.own = EyePicture.of(image, fit)
        self._opened = opened
        self._color_share = color_share(self.own.image)
        self.box = covered(fit.matrix, *REGION_BOX)
        self._matrix = counted_from(fit.matrix, np.array(self.box[:2]))
        self._alpha = self._in_box(painted_region())
        rows, columns = np.indices(self._alpha.shape, np.float32)
        self._places = transform(self._matrix, np.stack([columns, rows], -1)).astype(np.float32)

    def references(self, wanted: EyeShape) -> list[tuple[EyePicture, float]]:
        """What a wanted shape is painted from, in pixels of the crop, and the shares of that.

        The eye itself, and the open one as far as the eye is shut and wanted more open.
        """
        opened, own = self._opened, self.own.shape.opening
        if opened is None:
            return [(self.own, 1.0)]
        widest = max(opened.shape.opening, 1e-6)
        shut = _smooth((AJAR - own / widest) / (AJAR - SHUT))
        share = shut * _smooth((wanted.opening - own) / (OPENED * widest))
        found = [(self.own, 1 - share), (opened, share)]
        return [(picture, part) for picture, part in found if part > 0]

    def motion(self, shape: EyeShape) -> float:
        """How far lids or iris have left the target's own, in [0, 1]."""
        own = self.fit.own
        largest = max(
            float(np.abs(shape.lids - own.lids).max()),
            GLANCE * float(np.abs(shape.iris - own.iris).max()),
        )
        return _smooth((largest / self.width - STILL) / (MOVED - STILL))

    def wanted(self, shape: EyeShape) -> EyeShape:
        """A new shape in pixels of the crop, its iris between the corners."""
        new, own = shape.under(self.fit.matrix), self.own.shape
        room = IRIS_ROOM[0] * own.radius
        low = np.array([new.lids[CORNERS[0], 0] + room, CENTER[1] - IRIS_ROOM[1] * EYE_WIDTH])
        high = np.array([new.lids[CORNERS[1], 0] - room, CENTER[1] + IRIS_ROOM[1] * EYE_WIDTH])
        # Where the target's own iris lies further out, it may stay there.
        low, high = np.minimum(low, own.iris), np.maximum(high, own.iris)
        return EyeShape(new.lids, new.iris.clip(low, high), new.radius)

    def around(self, skin: UInt8[np.ndarray, "h w 3"], over: Box) -> Float32[np.ndarray, "H W 3"]:
        """The crop of the warped skin, grey in the region that is painted."""
        (x, y), (x0, y0, x1, y1) = over[:2], self.fit.box
        box = x0 - x, y0 - y, x1 - x, y1 - y
        crop = cut_crop(crop_box(skin, box), self.own.matrix)
        crop[painted_region() > 0] = 0.5
        return crop

    def lay(
        self,
        skin: UInt8[np.ndarray, "h w 3"],
        over: Box,
        color: Float32[np.ndarray, "y x 3"],
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
    ) -> Float32[np.ndarray, "y x 3"]:
        """The painted box, RGB 0 to 255.

        Args:
            reference: what is moved.
            flow: into its crop, pixels.
            edit: of that, as the generator gives it.
        """
        back = cv2.invertAffineTransform(reference.matrix).astype(np.float32)
        flow = flow + FLOW_SCALE * edit[..., :2]
        painted = tinted(_sigmoid(edit[..., 3:]), self._color_share)
        color, mask = _layered(reference.moved(flow), flow, painted, _sigmoid(edit[..., 2]))
        moves = self._in_box(np.dstack([flow @ back[:, :2].T, mask]))
        places = cv2.transform(self._places, back)
        smooth = self.width >= FINE
        shown = cv2.remap(
            reference.image,
            places[..., 0] + moves[..., 0],
            places[..., 1] + moves[..., 1],
            cv2.INTER_LINEAR if smooth else cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        ).astype(np.float32)
        return shown * (1 - moves[..., 2:]) + self._in_box(color)

    def _in_box(self, maps: Float32[np.ndarray, "H W *C"]) -> Float32[np.ndarray, "y x *C"]:
        """Maps of the crop in pixels of the box."""
        x0, y0, x1, y1 = self.box
        return cv2.warpAffine(
            maps,
            self._matrix,
            (x1 - x0, y1 - y0),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )


class PaintedEyes:
    """Both eyes of a target.

    Args:
        anatomy: of the face model.
        painter: the generator.
    """

    def __init__(self, anatomy: Anatomy, painter: EyePainter) -> None:
        self.anatomy, self.painter = anatomy, painter
        self.eyes: list[PaintedEye] = []
        self._opened: list[EyePicture | None] = [None, None]

    def set_opened(self, view: FaceView | None) -> None:
        """A picture with open eyes of the face that the next targets show."""
        fits = [] if view is None else [EyeFit(self.anatomy, side, view) for side in range(2)]
        self._opened = [EyePicture.of(view.image, fit) for fit in fits] if view else [None, None]

    def set_target(self, view: FaceView) -> None:
        """The eyes to paint from now on."""
        self.eyes = [
            PaintedEye(EyeFit(self.anatomy, side, view), view.image, opened)
            for side, opened in enumerate(self._opened)
        ]

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
            turns: how far each iris has moved from the target's, pixels; left first.
        """
        moved, given, flows = [], [], []
        for eye, turn in zip(self.eyes, turns, strict=True):
            shape = eye.fit.shape(projected, turn * LED)
            weight = eye.motion(shape)
            if weight == 0:
                continue
            around, wanted = eye.around(skin, over), eye.wanted(shape)
            references = eye.references(wanted)
            moved.append((eye, weight, references))
            for picture, _ in references:
                maps = np.concatenate([picture.shape.maps, wanted.maps])
                flows.append(picture.flow(wanted))
                given.append((around, picture.crop, picture.moved(flows[-1]), maps))
        if not moved:
            return
        edits = self.painter(*(np.stack(column) for column in zip(*given, strict=True)))
        moves = iter(zip(flows, edits, strict=True))
        for eye, weight, references in moved:
            layers = [share * eye.edited(picture, *next(moves)) for picture, share in references]
            eye.lay(skin, over, sum(layers[1:], layers[0]).astype(np.float32), weight)


def _smooth(x: float) -> float:
    """From 0 to 1 between 0 and 1."""
    x = min(max(x, 0.0), 1.0)
    return x * x * (3 - 2 * x)


def _layered(
    moved: Float32[np.ndarray, "H W 3"],
    flow: Float32[np.ndarray, "H W 2"],
    painted: Float32[np.ndarray, "H W 3"],
    mask: Float32[np.ndarray, "H W"],
) -> tuple[Float32[np.ndarray, "H W 3"], Float32[np.ndarray, "H W"]]:
    """What is laid over the reference's own pixels, 0 to 255 times its share, and that share.

    Where the flow leaps, at a rim from one lid to the other, pixels between those of the crop would
    show a squeezed eyeball: there the crop itself is enlarged.

    Args:
        moved: the reference's crop under the flow.
        flow: pixels of the crop.
        painted: RGB in [0, 1].
        mask: how far that replaces the reference.
    """
    leap = np.abs(np.diff(flow[..., 1], axis=0))
    leap = np.maximum(np.pad(leap, ((0, 1), (0, 0))), np.pad(leap, ((1, 0), (0, 0))))
    torn = ((leap - LEAP) / LEAP).clip(0, 1)
    crop = moved + mask[..., None] * (painted - moved)
    share = mask + torn * (1 - mask)
    color = (mask * (1 - torn))[..., None] * painted + torn[..., None] * crop
    return color * np.float32(255), share


def _sigmoid(values: Float32[np.ndarray, "*N"]) -> Float32[np.ndarray, "*N"]:
    return 1 / (1 + np.exp(-values))
