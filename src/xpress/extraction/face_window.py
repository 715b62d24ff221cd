"""The part of a picture that work on one face needs, so that cost follows the face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from xpress.extraction.face_sample import FaceSample

Draw = Callable[[UInt8[np.ndarray, "h w 3"], list[FaceSample]], UInt8[np.ndarray, "h w 3"]]
"""Makes a part of a picture anew, given the part and its faces in the part's pixels."""

REACH = 2.0
"""Room on each side of the landmarks' box, over its longer side: more than any motion reaches."""


@dataclass(frozen=True)
class FaceWindow:
    """A box of a picture around a face.

    Attributes:
        box: x0, y0, x1, y1 in pixels, exclusive at the end, inside the picture.
        whole: whether it is all of the picture.
    """

    box: tuple[int, int, int, int]
    whole: bool

    @staticmethod
    def around(face: FaceSample, height: int, width: int) -> FaceWindow:
        """Around a face of a picture of that size, cut off at its border."""
        low, high = face.landmarks68.min(0), face.landmarks68.max(0)
        room = REACH * float((high - low).max()) + 1
        x0, y0 = (
            int(np.clip(v, 0, n - 1)) for v, n in zip(low - room, (width, height), strict=True)
        )
        x1, y1 = (int(np.clip(v, 1, n)) for v, n in zip(high + room, (width, height), strict=True))
        box = x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)
        return FaceWindow(box, box == (0, 0, width, height))

    @staticmethod
    def around_all(faces: Sequence[FaceSample], height: int, width: int) -> FaceWindow:
        """The smallest that holds the windows around each of the faces, at least one."""
        boxes = np.array([FaceWindow.around(face, height, width).box for face in faces])
        left, top = boxes[:, :2].min(0).tolist()
        right, bottom = boxes[:, 2:].max(0).tolist()
        box = (left, top, right, bottom)
        return FaceWindow(box, box == (0, 0, width, height))

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the box."""
        x0, y0, x1, y1 = self.box
        return slice(y0, y1), slice(x0, x1)

    def cut(self, image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """The box of the picture; the picture itself where the box is all of it."""
        return image if self.whole else np.ascontiguousarray(image[self.place])

    def shifted(self, face: FaceSample) -> FaceSample:
        """The face in pixels of the box; the same object where the box is all of the picture."""
        if self.whole:
            return face
        corner = np.array(self.box[:2], np.float64)
        return face.replace(
            translation=face.translation - corner,
            landmarks68=face.landmarks68 - corner,
            contours=face.contours - corner,
        )


def draw_in_place(
    image: UInt8[np.ndarray, "H W 3"], faces: Sequence[FaceSample], draw: Draw
) -> None:
    """Put into a picture what is drawn of the surroundings of its faces; the rest is not touched.

    Args:
        image: RGB, changed.
        faces: of the picture, at least one.
        draw: is given their surroundings.
    """
    window = FaceWindow.around_all(faces, *image.shape[:2])
    image[window.place] = draw(window.cut(image), [window.shifted(face) for face in faces])
