"""Where faces are: dlib's frontal detector at several scales, and the crops of its boxes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files

import cv2
import dlib
import numpy as np
from jaxtyping import UInt8

from xpress.errors import InputError
from xpress.media.crop import Crop

LONG_SIDE = 640
"""Pixels that a picture is scaled down to at first; dlib's smallest face is 80 of them."""
AREA = 640 * 480
"""Pixels in all that are searched at first even where the longer side is above `LONG_SIDE`."""
LEVELS = 3
"""Scales that are searched at most, each twice as fine as the last."""
SMALL = 800 * 800
"""Pixels in all up to which a picture is enlarged: to twice its size at most."""
WORTH = 1.2
"""How much finer a scale has to be to be searched too."""
SAME = 0.5
"""Distance of two boxes, over the larger one's side, within which they are one face."""
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


@dataclass(frozen=True)
class FaceChoice:
    """Which of a picture's faces were chosen.

    Attributes:
        found: how many there were.
        numbers: of the chosen ones, counted from the left.
    """

    found: int
    numbers: tuple[int, ...]

    @staticmethod
    def of(found: Sequence[Detection], chosen: Sequence[Detection]) -> FaceChoice:
        """Of all faces and those that were chosen of them."""
        ordered = sorted(found, key=lambda item: item.center[0])
        return FaceChoice(len(found), tuple(ordered.index(item) for item in chosen))

    def told(self, done: str) -> str:
        """As `5 faces found, number 2 from the left moved`."""
        if self.found == 1:
            return f"1 face found and {done}"
        if len(self.numbers) == self.found:
            return f"{self.found} faces found and {done}"
        which = ", ".join(map(str, self.numbers))
        return f"{self.found} faces found, number {which} from the left {done}"


Detector = Callable[..., list[Detection]]
"""Faces of an RGB picture by falling area; called as `FaceDetector` is."""


class _Scales:
    """A picture in grey at several scales; of a large one only the shrunk one turns grey."""

    def __init__(self, image: UInt8[np.ndarray, "H W 3"], finest: float) -> None:
        self._zoom = finest if finest < 0.5 else 1.0
        self._grey = cv2.cvtColor(_resized(image, self._zoom), cv2.COLOR_RGB2GRAY)

    def grey(self, zoom: float) -> UInt8[np.ndarray, "h w"]:
        """At `zoom` of the picture's own pixels."""
        return _resized(self._grey, zoom / self._zoom)


def _resized(image: np.ndarray, zoom: float) -> np.ndarray:
    if zoom == 1:
        return image
    mode = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=mode)


class FaceDetector:
    """dlib's HOG detector on a bounded number of pixels; threads take turns.

    Args:
        long_side: pictures with a longer side are scaled down to it at first, pixels.
        threshold: added to dlib's decision boundary; lower finds more.
    """

    def __init__(self, long_side: int = LONG_SIDE, threshold: float = 0.0) -> None:
        # dlib's own copy is text in its code, which takes 0.3 seconds to decode at every start
        with as_file(files("xpress") / "assets" / "face_detector.svm") as path:
            self._find = dlib.fhog_object_detector(str(path))
        self.long_side = long_side
        self.threshold = threshold
        self._turn = threading.Lock()

    def __call__(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        rotations: Sequence[float] = (0.0,),
        thorough: bool = False,
    ) -> list[Detection]:
        """Faces by falling area.

        Args:
            image: RGB.
            rotations: rolls to look for; the others are tried only if the first finds nothing, and
                the one with the best score counts.
            thorough: search all scales; else the finer ones of a small picture only, and only as
                long as nothing is found.
        """
        height, width = image.shape[:2]
        zooms = self._zooms(height, width)
        if not thorough:
            zooms = zooms[: 2 if height * width <= SMALL else 1]
        scales = _Scales(image, zooms[-1])
        with self._turn:
            found = self._at_scales(scales, zooms, rotations[0], thorough)
            if not found:
                others = (self._at_scales(scales, zooms[:2], angle) for angle in rotations[1:])
                found = max(others, key=_best_score, default=[])
        return sorted(found, key=lambda face: -face.side)

    def _zooms(self, height: int, width: int) -> list[float]:
        """Scales from coarse to fine."""
        first = max(self.long_side / max(height, width), math.sqrt(AREA / (height * width)))
        finest = 2.0 if height * width <= SMALL else 1.0
        zooms = [min(first, 1.0)]
        while len(zooms) < LEVELS and finest / zooms[-1] >= WORTH:
            zooms.append(min(2 * zooms[-1], finest))
        return zooms

    def _at_scales(
        self, scales: _Scales, zooms: Sequence[float], angle: float, every: bool = False
    ) -> list[Detection]:
        """Faces of one roll, from coarse to fine until one is found, or at every scale."""
        found: list[Detection] = []
        for zoom in zooms:
            if found and not every:
                break
            new = self._at(scales.grey(zoom), zoom, angle)
            found += [face for face in new if not any(_is_same(face, other) for other in found)]
        return found

    def _at(self, grey: np.ndarray, zoom: float, angle: float) -> list[Detection]:
        """Faces of one roll, in pixels of the picture before it was scaled by `zoom`."""
        height, width = grey.shape
        center = ((width - 1) / 2, (height - 1) / 2)
        matrix = cv2.getRotationMatrix2D(center, np.degrees(angle), 1.0)
        turned = cv2.warpAffine(grey, matrix, (width, height)) if angle else grey
        boxes, scores, _ = self._find.run(turned, 0, self.threshold)
        back = cv2.invertAffineTransform(matrix)
        found = []
        for box, score in zip(boxes, scores, strict=True):
            middle = np.array([(box.left() + box.right()) / 2, (box.top() + box.bottom()) / 2, 1.0])
            x, y = (back @ middle + 0.5) / zoom - 0.5
            found.append(Detection((float(x), float(y)), box.width() / zoom, score, angle))
        return found


def _is_same(face: Detection, other: Detection) -> bool:
    apart = np.hypot(*np.subtract(face.center, other.center))
    return bool(apart < SAME * max(face.side, other.side))


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
