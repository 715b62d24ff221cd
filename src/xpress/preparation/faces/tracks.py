"""Every face of a video, from frame to frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import UInt8

from xpress.errors import InputError
from xpress.extraction.detection import Detection
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.face_sample import FaceSample, upright_crop
from xpress.extraction.tracking import FaceTracker
from xpress.media.sources import FrameSource, ImageSource, VideoSource
from xpress.preparation.annotations.entries import Entry
from xpress.preparation.annotations.lookup import Faces
from xpress.preparation.faces.shots import ShotCuts

SEARCH_EVERY, EMPTY_EVERY = 10, 5
"""Frames after which faces that have come into the picture are looked for: beside others, and
where there is none."""
THOROUGH_EVERY = 4
"""Searches of which one, in each shot the first, looks for small faces too: it takes four times as
long."""
COVERED = 0.3
"""Distance from a tracked crop's middle, in its sides, within which a detection is that face."""


@dataclass(frozen=True)
class FoundFace:
    """A face of a picture or frame.

    Attributes:
        track: number of its track in the file, by first appearance.
        shot: number of the shot.
        face: what the encoder reads.
        entry: what an annotation says.
    """

    track: int
    shot: int
    face: FaceSample
    entry: Entry | None = None


Frame = tuple[int, UInt8[np.ndarray, "H W 3"], list[FoundFace]]
"""Number, picture, and the faces it shows."""


class FaceTracks:
    """Follows all faces of a video, each until it is lost or the shot ends.

    Args:
        reader: finds and reads faces.
    """

    def __init__(self, reader: FaceReader) -> None:
        self.reader = reader
        self.shots = 0
        self._cuts = ShotCuts()
        self._live: dict[int, FaceTracker] = {}
        self._started = 0
        self._since = self._searches = 0

    def __call__(self, image: UInt8[np.ndarray, "H W 3"]) -> list[FoundFace]:
        """The faces of the next frame."""
        if self._cuts(image):
            self._live.clear()
            self.shots += 1
            self._since, self._searches = SEARCH_EVERY, 0
        found: dict[int, FaceSample] = {}
        for number, tracker in list(self._live.items()):
            face = tracker(image)
            if face is None or self._doubled(tracker, found):
                del self._live[number]
            else:
                found[number] = face
        if self._since >= (SEARCH_EVERY if self._live else EMPTY_EVERY):
            found |= self._search(image)
        self._since += 1
        return [FoundFace(number, self.shots - 1, face) for number, face in found.items()]

    def state(self) -> dict[str, Any]:
        """What the next frames depend on, in numbers that JSON keeps."""
        live = [[number, tracker.state()] for number, tracker in self._live.items()]
        counts = {"shots": self.shots, "started": self._started}
        since = {"since": self._since, "searches": self._searches}
        return counts | since | {"live": live, "cuts": self._cuts.state()}

    def restore(self, state: dict[str, Any], last: UInt8[np.ndarray, "H W 3"]) -> None:
        """Go on after a frame where `state` was taken."""
        self.shots, self._started = state["shots"], state["started"]
        self._since, self._searches = state["since"], state["searches"]
        self._cuts.restore(state["cuts"], last)
        for number, told in state["live"]:
            self._live[number] = self._tracker()
            self._live[number].restore(told)

    def _tracker(self) -> FaceTracker:
        """One that does not look for a face that it has lost: that is done for all together."""
        return FaceTracker(_no_detector, self.reader.extractor, size=self.reader.size)

    def _search(self, image: np.ndarray) -> dict[int, FaceSample]:
        thorough = self._searches % THOROUGH_EVERY == 0
        self._since, self._searches, new = 0, self._searches + 1, {}
        for detection in self.reader.detector(image, thorough=thorough):
            if any(_covers(tracker, detection) for tracker in self._live.values()):
                continue
            face = self.reader.extractor.settled(image, detection.crop(self.reader.size))
            tracker = self._tracker()
            if face.presence < tracker.present:
                continue
            tracker.start(face)
            self._live[self._started] = tracker
            new[self._started] = face
            self._started += 1
        return new

    def _doubled(self, tracker: FaceTracker, found: dict[int, FaceSample]) -> bool:
        """Whether a tracker has slid onto a face that another one follows."""
        crop = tracker.crop
        others = [self._live[number].crop for number in found]
        return crop is not None and any(
            other is not None
            and np.hypot(*np.subtract(other.center, crop.center)) < COVERED * other.side
            for other in others
        )


def _no_detector(*_: object, **__: object) -> list[Detection]:
    """A lost face is looked for with all others."""
    return []


def _covers(tracker: FaceTracker, found: Detection) -> bool:
    crop = tracker.crop
    return crop is not None and bool(
        np.hypot(*np.subtract(found.center, crop.center)) < COVERED * crop.side
    )


def faces_of(
    opened: FrameSource,
    tracks: FaceTracks,
    every: int,
    known: Faces | None = None,
    before: tuple[int, dict[str, Any]] | None = None,
) -> Iterator[Frame]:
    """The faces of a picture, left to right, or of every n-th frame of a video.

    Args:
        opened: picture or video.
        tracks: fresh, and so are its frames of a video.
        every: each how manieth frame is taken.
        known: annotated faces by frame; with landmarks they are taken instead of found ones, and
            without, those of one face label what is found.
        before: number of the last frame that was dealt with before, and the state of the tracks
            after it; what follows is as if they had never been interrupted.

    Raises:
        InputError: neither a picture nor a video, or the video breaks off.
    """
    if known and any(e.landmarks68 is not None for entries in known.values() for e in entries):
        for number, image in enumerate(opened):
            if number % every == 0 and (before is None or number > before[0]):
                yield number, image, list(_annotated(image, known.get(number, ()), tracks.reader))
        return
    for number, image, found in _found(opened, tracks, every, before):
        entries = (known or {}).get(number, ())
        if len(entries) == 1 and len(found) == 1:
            found = [replace(found[0], entry=entries[0])]
        yield number, image, found


def _annotated(
    image: UInt8[np.ndarray, "H W 3"], entries: Sequence[Entry], reader: FaceReader
) -> Iterator[FoundFace]:
    for entry in entries:
        if entry.landmarks68 is not None:
            crop = upright_crop(entry.landmarks68, reader.size)
            yield FoundFace(entry.face, 0, reader.extractor(image, crop), entry)


def _found(
    opened: FrameSource,
    tracks: FaceTracks,
    every: int,
    before: tuple[int, dict[str, Any]] | None,
) -> Iterator[Frame]:
    if isinstance(opened, ImageSource):
        try:
            found = tracks.reader.find(opened.image, "all", opened.name)
        except InputError:  # shows no face
            yield 0, opened.image, []
        else:
            yield 0, opened.image, [FoundFace(n, 0, face) for n, face in enumerate(found)]
    elif isinstance(opened, VideoSource):
        # the frames between are followed too: a crop that jumps loses the face
        for number, image in enumerate(opened):
            if before is not None and number <= before[0]:
                if number == before[0]:
                    tracks.restore(before[1], image)
                continue
            faces = tracks(image)
            if number % every == 0:
                yield number, image, faces
    else:
        raise InputError(f"{opened.name}: neither a picture nor a video; give one")
