"""A video from a source and a target: decoding, rendering and encoding side by side."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from xpress.commands.frame_job import Frame, FrameJob
from xpress.commands.pipeline import Progress, prefetch
from xpress.errors import InputError
from xpress.extraction.detection import FaceChoice
from xpress.media.label import Label
from xpress.media.sources import CameraSource, FrameSource, ImageSource, VideoSource
from xpress.provenance.watermark import Marker, unmarked
from xpress.reenactment.options import ReenactmentOptions
from xpress.reenactment.reenactor import Reenactor
from xpress.reenactment.target_video import (
    FaceHistory,
    PingPongVideo,
    TargetAnimator,
    TargetFace,
)
from xpress.transfer.driver import DriverFrame
from xpress.transfer.fading import fading
from xpress.transfer.resting_face import LOOK_AHEAD


@dataclass(frozen=True)
class _Task:
    """One frame to draw."""

    time: Fraction
    driver: DriverFrame
    image: np.ndarray
    faces: list[TargetFace | None]


class VideoJob(FrameJob):
    """A video output: decoding, extraction, rendering and encoding on threads of their own.

    Args:
        reenactor: the composition.
        driving: gives the expression.
        driven: photograph or video that receives it.
        options: how.
        workers: frames that are drawn at the same time.
        label: what the output says of itself.
        marker: marks what was changed in a frame.
    """

    def __init__(
        self,
        reenactor: Reenactor,
        driving: FrameSource,
        driven: FrameSource,
        options: ReenactmentOptions,
        workers: int = 2,
        label: Label | None = None,
        marker: Marker = unmarked,
    ) -> None:
        super().__init__(workers, label, marker)
        self.reenactor = reenactor
        self.driving = driving
        self.driven = driven
        self.options = options
        self.missed = 0
        self.still = 0

    def write(self, output: Path, calm: np.ndarray | None, progress: Progress) -> None:
        """Run it and print the summary."""
        leading = self.driven if self.driving.frame_count == 1 else self.driving
        sounding = next((s for s in (self.driving, self.driven) if s.has_audio), None)
        with closing(prefetch(self._driver(calm))) as driver:
            count = self.encode(output, self._render(driver), leading, sounding, progress)
        notes = f"; {self.choice.told('moved')}" if self.choice else ""
        if self.missed:
            notes += f"; the last expression held in {self.missed} frames without a face"
        if self.still:
            notes += f"; {self.still} frames of the target without a face left as they are"
        print(f"{output}: {self.times.summary(count)}{notes}")

    def _driver(self, calm: np.ndarray | None) -> Iterator[DriverFrame]:
        frames = None
        if isinstance(self.driving, VideoSource | CameraSource):
            frames = prefetch(self.times.over("decode", self.driving.timed()))
        faces = self.reenactor.driver(self.driving, self.options.smoothing, calm, frames)
        try:
            yield from self.times.over("extract", faces)
        finally:
            if frames is not None:
                frames.close()

    def _render(self, driver: Iterator[DriverFrame]) -> Generator[Frame, None, None]:
        """Drawn by several animators, each with the picture it was given last."""

        def draw(animator: TargetAnimator, task: _Task) -> Frame:
            if animator.image is not task.image:
                with self.times.measure("target"):
                    animator.set(task.image, task.faces)
            with self.times.measure("render"):
                drawn = animator.render(task.driver)
                seen = [rested.face for rested in task.faces if rested is not None]
                return task.time, self.marker(task.image, drawn, seen)

        photo = isinstance(self.driven, ImageSource)
        first = self.reenactor.target_animator(self.options, photo)
        tasks = self._photo(driver, first) if photo else self._video(driver)
        return self.side_by_side(first.twin, draw, self._counted(tasks))

    def _counted(self, tasks: Iterator[_Task]) -> Iterator[_Task]:
        for task in tasks:
            self.missed += not task.driver.detected
            self.still += not any(face is not None for face in task.faces)
            yield task

    def _photo(self, driver: Iterator[DriverFrame], animator: TargetAnimator) -> Iterator[_Task]:
        """One task for each frame of the driver, when the animator has been given the photo."""
        assert isinstance(self.driven, ImageSource)
        image = self.driven.image
        found = self.reenactor.find(image, self.options.face, self.driven.name)
        self.chose(found.choice)
        faces: list[TargetFace | None] = [
            self.reenactor.rested(face, self.options.strength) for face in found
        ]
        with self.times.measure("target"):
            animator.set(image, faces)
        return (_Task(frame.time, frame, image, faces) for frame in driver)

    def _video(self, driver: Iterator[DriverFrame]) -> Iterator[_Task]:
        with closing(self._playback()) as playback:
            if self.driving.frame_count == 1:
                frame = next(driver)
                moments = ((time, frame) for time in playback.times())
            else:
                moments = ((frame.time, frame) for frame in driver)
            for time, frame in moments:
                yield _Task(time, frame, *playback.at(time))

    def _playback(self) -> PingPongVideo:
        driven, driving = self.driven, self.driving
        longest = (driving.frame_count or 0) / driving.fps
        shorter = (driven.frame_count or 0) / driven.fps < longest
        frames = target_frames(self.reenactor, driven, self.options, self.chose)
        return PingPongVideo(fading(frames, TargetFace.faded), keep=shorter)


def target_frames(
    reenactor: Reenactor,
    target: FrameSource,
    options: ReenactmentOptions,
    chose: Callable[[FaceChoice], object] | None = None,
) -> Generator[tuple[Fraction, np.ndarray, list[TargetFace | None]], None, None]:
    """The target's frames with its faces and their rest, found in its first seconds.

    Args:
        reenactor: finds, follows and reads the faces.
        target: what `open_source` returns.
        options: how.
        chose: see `FaceReader.track_faces`.
    """

    def tracked():
        frames = target.timed()
        return reenactor.track_faces(frames, options.face, target.name, options.smoothing, chose)

    seen: list[FaceHistory] = []
    with closing(tracked()) as frames:
        for time, image, faces in frames:
            seen += [FaceHistory() for _ in range(len(faces) - len(seen))]
            for past, face in zip(seen, faces, strict=True):
                if face is not None:
                    past.add(image, face)
            if time >= LOOK_AHEAD and any(past.faces for past in seen):
                break
    if not any(past.faces for past in seen):
        raise InputError(f"{target.name}: no face found in any frame; give one that shows a face")
    rests = [past.rest(reenactor.resting) if past.faces else None for past in seen]
    for time, image, faces in tracked():
        rested = [
            None if face is None or rest is None else TargetFace(face, rest, opened=past.opened)
            for face, rest, past in zip(faces, rests, seen, strict=False)
        ]
        yield time, image, rested
