"""Faces from frame to frame: the next crop comes from the last landmarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from xpress.extraction.detection import Detection, Detector
from xpress.extraction.encoder import Extractor
from xpress.extraction.face_sample import FaceSample, upright_crop
from xpress.media.crop import Crop

PRESENT = 0.5
"""Presence probability under which a face counts as lost."""
SEARCH_EVERY = 5
"""Frames between two detections while a face is out of sight: the detector takes tens of ms."""
THOROUGH_EVERY = 4
"""Detections of which one looks for small faces too."""
AHEAD = 0.5
"""Frames that the crop's motion is carried on; a whole one would double every jitter."""
SIDE_MEMORY = 0.6
"""Share of the last crop's side in the next one's."""

CALM, CALM_SIDE = 0.02, 0.04
"""Motion of the wanted crop, and change of its side, in sides, that move no crop: what the
extractor reads depends a little on the crop, and a crop that follows every reading of its own
sways for ever before a face that holds still."""

Choice = Callable[[Sequence[Detection]], Detection | None]


def largest(found: Sequence[Detection]) -> Detection | None:
    """The first of detections by falling area."""
    return found[0] if found else None


class FaceTracker:
    """Follows one face through a video.

    Args:
        detector: finds it at the start and when it is lost.
        extractor: reads the parameters of a crop.
        choose: which of several detections is followed.
        size: pixels of the encoder's crop.
        present: presence below which the face is lost.
    """

    def __init__(
        self,
        detector: Detector,
        extractor: Extractor,
        choose: Choice = largest,
        size: int = 128,
        present: float = PRESENT,
    ) -> None:
        self.detector = detector
        self.extractor = extractor
        self.choose = choose
        self.size = size
        self.present = present
        self.detections = 0
        self._crop: Crop | None = None
        self._last: Crop | None = None
        self._wait = 0
        self._seen = False

    @property
    def crop(self) -> Crop | None:
        """Where the face is expected next, None while it is lost."""
        return self._crop

    def start(self, face: FaceSample) -> None:
        """Follow a face that is known already."""
        self._last = None
        self._seen = True
        self._advance(face)

    def state(self) -> dict[str, Any]:
        """What the next frame depends on, in numbers that JSON keeps."""
        crops = {"crop": self._crop, "last": self._last}
        told = {
            name: crop and [*crop.center, crop.side, crop.angle] for name, crop in crops.items()
        }
        return told | {"wait": self._wait, "seen": self._seen, "detections": self.detections}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where another tracker's `state` was taken."""
        self._crop, self._last = (
            state[name]
            and Crop((state[name][0], state[name][1]), state[name][2], self.size, state[name][3])
            for name in ("crop", "last")
        )
        self._wait, self._seen = state["wait"], state["seen"]
        self.detections = state["detections"]

    def __call__(self, image: UInt8[np.ndarray, "H W 3"]) -> FaceSample | None:
        """The face in the next frame, None where it is out of sight."""
        if self._crop is not None:
            face = self.extractor(image, self._crop)
            if self._plausible(face, image):
                self._advance(face)
                return face
            self._crop = self._last = None
            self._wait = 0
        if self._wait > 0:
            self._wait -= 1
            return None
        return self._search(image)

    def _search(self, image: np.ndarray) -> FaceSample | None:
        thorough = self.detections % THOROUGH_EVERY == 0
        self.detections += 1
        # a face that shows up in one frame only has to be found; one that left may be waited for
        self._wait = SEARCH_EVERY - 1 if self._seen else 0
        found = self.choose(self.detector(image, thorough=thorough))
        if found is None:
            return None
        face = self.extractor.settled(image, found.crop(self.size))
        if not self._plausible(face, image):
            return None
        self.start(face)
        return face

    def _plausible(self, face: FaceSample, image: np.ndarray) -> bool:
        """Present, and with its middle inside the picture."""
        height, width = image.shape[:2]
        x, y = face.landmarks68.mean(0)
        return bool(face.presence >= self.present and -1 < x < width and -1 < y < height)

    def _advance(self, face: FaceSample) -> None:
        here = upright_crop(face.landmarks68, self.size)
        last, self._last = self._last, here
        if last is None:
            self._crop = here
            return
        side = SIDE_MEMORY * last.side + (1 - SIDE_MEMORY) * here.side
        x, y = (
            now + AHEAD * (now - past) for now, past in zip(here.center, last.center, strict=True)
        )
        wanted = Crop((x, y), side, self.size, here.angle)
        self._crop = wanted if self._crop is None else followed(self._crop, wanted)


def followed(crop: Crop, wanted: Crop) -> Crop:
    """The crop, dragged along as far as it is from the wanted one by more than the calm."""
    reach = CALM * wanted.side
    x, y = (
        old + _beyond(new - old, reach) for old, new in zip(crop.center, wanted.center, strict=True)
    )
    side = crop.side + _beyond(wanted.side - crop.side, CALM_SIDE * wanted.side)
    return Crop((x, y), side, wanted.size, wanted.angle)


def _beyond(difference: float, reach: float) -> float:
    """A difference less `reach`, zero within it."""
    return float(np.sign(difference)) * max(abs(difference) - reach, 0.0)


def apart_from(others: Sequence[FaceTracker], first: Detection) -> Choice:
    """Choose what no other tracker follows: first the given face, later the nearest to it."""

    def choose(found: Sequence[Detection]) -> Detection | None:
        taken = [tracker.crop for tracker in others if tracker.crop is not None]
        free = [item for item in found if not any(_covers(crop, item) for crop in taken)]
        return min(free, key=lambda item: _distance(item, first.center), default=None)

    return choose


def track_all(
    detector: Detector,
    extractor: Extractor,
    image: UInt8[np.ndarray, "H W 3"],
    faces: Sequence[Detection],
    size: int = 128,
) -> list[FaceTracker]:
    """One tracker per face detected in the first frame, each keeping off the others'."""
    trackers = [FaceTracker(detector, extractor, size=size) for _ in faces]
    for tracker, face in zip(trackers, faces, strict=True):
        tracker.choose = apart_from([other for other in trackers if other is not tracker], face)
        tracker.start(extractor.settled(image, face.crop(size)))
    return trackers


def _covers(crop: Crop, found: Detection) -> bool:
    return _distance(found, crop.center) < 0.3 * crop.side


def _distance(found: Detection, point: tuple[float, float]) -> float:
    return float(np.hypot(found.center[0] - point[0], found.center[1] - point[1]))
