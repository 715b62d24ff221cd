"""Where faces are: dlib's frontal detector, and the crop that its box suggests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import dlib
import numpy as np
from jaxtyping import UInt8

from xpress.errors import InputError
from xpress.media.crop import Crop

LONG_SIDE = 640
"""Pixels that a picture is scaled down to; dlib's smallest face is then 80 of them."""
SMALL_SIDE = 800
"""A picture with a longer side up to this is searched once more at twice its size."""
STILL_ROTATIONS = (0.0, -0.45, 0.45, -0.9, 0.9)
"""Radians of roll that are looked for in a photograph."""

BOX_SHIFT = (0.0, 0.09)
"""Middle of the canonical crop from the middle of dlib's box, box sides, in the face's axes."""
BOX_RATIO = 1.45
"""Side of the canonical crop over the box's. Medians over 252 of 260 faces of the training packs
on a larger canvas are 1.41 and 1.50, over 42 frames of three clips 1.53 to 1.65; standard
deviation of the ratio 0.13, of the shift 0.07 and 0.04."""


@dataclass(frozen=True)
class Detection:
    """A found face.

    Attributes:
        center: middle of dlib's box, pixels of the picture.
        side: of the box, pixels.
        score: distance from dlib's decision boundary.
        angle: roll at which it was found, radians, clockwise on screen.
    """

    center: tuple[float, float]
    side: float
    score: float
    angle: float = 0.0

    def crop(self, size: int = 128) -> Crop:
        """The encoder's first crop; see `BOX_RATIO`."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        dx, dy = (shift * self.side for shift in BOX_SHIFT)
        x, y = self.center[0] + c * dx - s * dy, self.center[1] + s * dx + c * dy
        return Crop((float(x), float(y)), self.side * BOX_RATIO, size, self.angle)


Detector = Callable[..., list[Detection]]
"""Faces of an RGB picture by falling area; `rotations` may be given as in `FaceDetector`."""


class FaceDetector:
    """dlib's HOG detector on a bounded number of pixels; threads take turns.

    Args:
        long_side: pictures with a longer side are scaled down to it, pixels.
        threshold: added to dlib's decision boundary; lower finds more.
    """

    def __init__(self, long_side: int = LONG_SIDE, threshold: float = 0.0) -> None:
        self._find = dlib.get_frontal_face_detector()
        self.long_side = long_side
        self.threshold = threshold
        self._turn = threading.Lock()

    def __call__(
        self, image: UInt8[np.ndarray, "H W 3"], rotations: Sequence[float] = (0.0,)
    ) -> list[Detection]:
        """Faces by falling area.

        Args:
            image: RGB.
            rotations: rolls to look for; the others are tried only if the first finds nothing, and
                the one with the best score counts.
        """
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        zoom = min(self.long_side / max(grey.shape), 1.0)
        if zoom < 1:
            grey = cv2.resize(grey, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        with self._turn:
            found = self._at(grey, zoom, rotations[0])
            if not found:
                others = (self._at(grey, zoom, angle) for angle in rotations[1:])
                found = max(others, key=_best_score, default=[])
        return sorted(found, key=lambda face: -face.side)

    def _at(self, grey: np.ndarray, zoom: float, angle: float) -> list[Detection]:
        """Faces of one roll, in pixels of the picture before it was scaled by `zoom`."""
        height, width = grey.shape
        center = ((width - 1) / 2, (height - 1) / 2)
        matrix = cv2.getRotationMatrix2D(center, np.degrees(angle), 1.0)
        turned = cv2.warpAffine(grey, matrix, (width, height)) if angle else grey
        boxes, scores, _ = self._find.run(turned, 0, self.threshold)
        if not boxes and max(grey.shape) <= SMALL_SIDE:
            boxes, scores, _ = self._find.run(turned, 1, self.threshold)
        back = cv2.invertAffineTransform(matrix)
        found = []
        for box, score in zip(boxes, scores, strict=True):
            middle = np.array([(box.left() + box.right()) / 2, (box.top() + box.bottom()) / 2, 1.0])
            x, y = (back @ middle + 0.5) / zoom - 0.5
            found.append(Detection((float(x), float(y)), box.width() / zoom, score, angle))
        return found


def _best_score(faces: Sequence[Detection]) -> float:
    return max((face.score for face in faces), default=-1.0)


def choose_faces(found: Sequence[Detection], face: str | int, name: str) -> list[Detection]:
    """The faces that the option `face` means.

    Args:
        found: by falling area, as the detector gives them.
        face: `largest`, `all` (left to right), or an index from left to right.
        name: file or input, for messages.

    Raises:
        InputError: no face at all, no face of that number, or another word.
    """
    if not found:
        raise InputError(f"{name}: no face found; give a picture with a face seen from the front")
    if face == "largest":
        return [found[0]]
    ordered = sorted(found, key=lambda item: item.center[0])
    if face == "all":
        return ordered
    try:
        index = int(face)
    except ValueError as error:
        raise InputError(f"face={face}: choose largest, all or a number from 0 on") from error
    if not 0 <= index < len(ordered):
        raise InputError(
            f"face={index}: {name} shows {len(ordered)} face(s); "
            f"choose 0 to {len(ordered) - 1}, counted from the left"
        )
    return [ordered[index]]
