"""The part of a picture that work on one face needs, so that cost follows the face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from xpress.extraction.face_sample import FaceSample

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
