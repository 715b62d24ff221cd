"""A video from a source and a target: decoding, rendering and encoding side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from xpress.errors import InputError
from xpress.media.sources import CameraSource, FrameSource, ImageSource, VideoSource
from xpress.media.video import VideoWriter
from xpress.reenactment.driver import DriverFrame
from xpress.reenactment.faces import FaceSample
from xpress.reenactment.neutral import LOOK_AHEAD
from xpress.reenactment.options import Options
from xpress.reenactment.pipeline import StageTimes, prefetch, progress_bar
from xpress.reenactment.reenactor import Reenactor
from xpress.reenactment.targets import RestedFace, Shuttle, Stage, TargetFrames


class VideoJob:
    """A video output: decoding and extraction, rendering, and encoding on three threads."""

    def __init__(
        self,
        reenactor: Reenactor,
        stage: Stage,
        driving: FrameSource,
        driven: FrameSource,
        options: Options,
    ) -> None:
        self.reenactor = reenactor
        self.stage = stage
        self.driving = driving
        self.driven = driven
        self.options = options
        self.times = StageTimes()
        self.missed = 0
        self.still = 0

    def write(self, output: Path, calm: np.ndarray | None, progress: bool) -> None:
        """Run it and print the summary."""
        leading = self.driven if self.driving.frame_count == 1 else self.driving
        sounding = [s for s in (self.driving, self.driven) if s.has_audio]
        count = 0
        with ExitStack() as stack:
            driver = stack.enter_context(closing(prefetch(self._driver(calm))))
            rendered = stack.enter_context(closing(prefetch(self._render(driver))))
            first = next(rendered)
            size = (first[1].shape[1], first[1].shape[0])
            sound = sounding[0].path if sounding else None
            writer = stack.enter_context(VideoWriter(output, leading.fps, size, sound))
            bar = stack.enter_context(progress_bar(leading.frame_count, progress))
            for time, frame in chain([first], rendered):
                with self.times.measure("encode"):
                    writer.write(frame, time)
                count += 1
                bar.update()
        notes = ""
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

    def _render(self, driver: Iterator[DriverFrame]) -> Iterator[tuple[Fraction, np.ndarray]]:
        if isinstance(self.driven, ImageSource):
            photo_stage(self.reenactor, self.stage, self.driven, self.options.face)
            for frame in driver:
                yield self._drawn(frame, frame.time)
            return
        with closing(self._shuttle()) as shuttle:
            if self.driving.frame_count != 1:
                for frame in driver:
                    self._turn_to(shuttle, frame.time)
                    yield self._drawn(frame, frame.time)
                return
            frame = next(driver)
            for time in shuttle.times():
                self._turn_to(shuttle, time)
                yield self._drawn(frame, time)

    def _turn_to(self, shuttle: Shuttle, time: Fraction) -> None:
        with self.times.measure("target"):
            image, faces, changed = shuttle.at(time)
            if changed:
                self.stage.set(image, faces)

    def _drawn(self, driver: DriverFrame, time: Fraction) -> tuple[Fraction, np.ndarray]:
        self.missed += not driver.detected
        self.still += not self.stage.shows_face
        with self.times.measure("render"):
            return time, self.stage.render(driver)

    def _shuttle(self) -> Shuttle:
        driven, driving = self.driven, self.driving
        longest = (driving.frame_count or 0) / driving.fps
        shorter = (driven.frame_count or 0) / driven.fps < longest
        return Shuttle(target_frames(self.reenactor, driven, self.options), keep=shorter)


def photo_stage(reenactor: Reenactor, stage: Stage, target: ImageSource, face: str | int) -> Stage:
    """The stage, set to a photograph with the wanted faces."""
    faces = reenactor.find(target.image, face, target.name)
    stage.set(target.image, [reenactor.rested(found) for found in faces])
    return stage


def target_frames(reenactor: Reenactor, target: FrameSource, options: Options) -> TargetFrames:
    """The target's frames with its faces and their rest, found in its first seconds."""

    def tracked():
        return reenactor.track_faces(target.timed(), options.face, target.name, options.smoothing)

    seen: list[list[FaceSample]] = []
    with closing(tracked()) as frames:
        for time, _, faces in frames:
            seen += [[] for _ in range(len(faces) - len(seen))]
            for past, face in zip(seen, faces, strict=True):
                if face is not None:
                    past.append(face)
            if time >= LOOK_AHEAD and any(seen):
                break
    if not any(seen):
        raise InputError(f"{target.name}: no face found in any frame; give one that shows a face")
    neutrals = [
        reenactor.resting.of_clip(np.array([face.expression for face in past])) if past else None
        for past in seen
    ]
    for time, image, faces in tracked():
        rested = [
            None if face is None or neutral is None else RestedFace(face, neutral)
            for face, neutral in zip(faces, neutrals, strict=False)
        ]
        yield time, image, rested
