"""The picture that receives the expression: a photograph, or the frames of a video."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from xpress.extraction.face_sample import FaceSample
from xpress.morphable.expression_geometry import Shown
from xpress.structures import FaceParameters
from xpress.transfer.driver import DriverFrame
from xpress.transfer.expression_transfer import Transfer


@runtime_checkable
class Animator(Protocol):
    """Moves the face of a picture; see `animator.FaceAnimator`."""

    def set_target(self, image: UInt8[np.ndarray, "H W 3"], parameters: FaceParameters) -> object:
        """Take the picture and its face's parameters, in pixels of the picture."""

    def render(self, expression: Float32[np.ndarray, " Ke"]) -> UInt8[np.ndarray, "H W 3"]:
        """The picture with the face showing that expression."""


@dataclass(frozen=True)
class RestedFace:
    """A face of the target and the expression it rests at."""

    face: FaceSample
    rest: Shown


TargetFrames = Iterator[tuple[Fraction, UInt8[np.ndarray, "H W 3"], list[RestedFace | None]]]


class Stage:
    """Animates the faces of one picture after another.

    Args:
        animators: makes an animator; each face has its own.
        transfer: mixes the driver's and the target's expressions.
    """

    def __init__(self, animators: Callable[[], Animator], transfer: Transfer) -> None:
        self._make = animators
        self._animators: list[Animator] = []
        self.transfer = transfer
        self._image = np.zeros((0, 0, 3), np.uint8)
        self._faces: list[RestedFace | None] = []

    def set(self, image: UInt8[np.ndarray, "H W 3"], faces: Sequence[RestedFace | None]) -> None:
        """The picture to animate from now on; None is a face that is out of sight."""
        self._image, self._faces = image, list(faces)
        while len(self._animators) < len(faces):
            self._animators.append(self._make())
        for animator, rested in zip(self._animators, faces, strict=False):
            if rested is not None:
                animator.set_target(image, rested.face.parameters)

    @property
    def image(self) -> UInt8[np.ndarray, "H W 3"]:
        """The picture that was set last."""
        return self._image

    def render(self, driver: DriverFrame) -> UInt8[np.ndarray, "H W 3"]:
        """The picture with all its faces driven; a new array."""
        frames = []
        for animator, rested in zip(self._animators, self._faces, strict=False):
            if rested is not None:
                expression = self.expression(driver, rested).astype(np.float32)
                frames.append(animator.render(expression))
        if not frames:
            return self._image.copy()
        result = frames[0]
        for frame in frames[1:]:
            changed = (frame != self._image).any(-1, keepdims=True)
            result = np.where(changed, frame, result)
        return result

    def expression(self, driver: DriverFrame, rested: RestedFace) -> Float[np.ndarray, " Ke"]:
        """What a face of the target shows for a frame of the driver."""
        return self.transfer(driver.shown, driver.rest, rested.rest, rested.face.expression)


class Shuttle:
    """The frames of a target video at any rising time, played back and forth.

    Playing backwards needs frames that have been decoded: while the video plays for the first
    time they are laid down as lossless pictures in a temporary folder, so memory holds one frame.

    Args:
        frames: time, picture and faces in order of time.
        keep: whether the video is shorter than what is asked of it, so that it must turn back.
    """

    def __init__(self, frames: TargetFrames, keep: bool) -> None:
        self._frames = frames
        self._keep = keep
        self._times: list[Fraction] = []
        self._faces: list[list[RestedFace | None]] = []
        self._current = next(frames)
        self._following = next(frames, None)
        self._folder = tempfile.TemporaryDirectory(prefix="xpress_") if keep else None
        self._store()

    def close(self) -> None:
        """Remove the temporary folder and stop decoding."""
        if self._folder is not None:
            self._folder.cleanup()
        close = getattr(self._frames, "close", None)
        if close is not None:
            close()

    def times(self) -> Iterator[Fraction]:
        """Of the video's own frames, each as soon as it is decoded; read each with `at`."""
        yield self._current[0]
        while self._following is not None:
            yield self._following[0]

    def at(self, time: Fraction) -> tuple[UInt8[np.ndarray, "H W 3"], list[RestedFace | None]]:
        """Picture and faces at a time; the same objects while the frame stays the same."""
        while self._following is not None and self._following[0] <= time:
            self._current, self._following = self._following, next(self._frames, None)
            self._store()
        at_end = self._following is None and self._keep and len(self._times) > 1
        index = self._turned(time) if at_end else -1
        if at_end and self._current[0] != self._times[index]:
            stored = cv2.imread(str(self._file(index)))
            assert stored is not None, "the temporary folder was emptied"
            image = cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)
            self._current = (self._times[index], image, self._faces[index])
        return self._current[1], self._current[2]

    def _turned(self, time: Fraction) -> int:
        """Index of the frame at a time beyond the end, forth and back."""
        length = self._times[-1]
        phase = time % (2 * length)
        phase = min(phase, 2 * length - phase)
        return int(np.searchsorted([float(t) for t in self._times], float(phase) + 1e-6)) - 1

    def _store(self) -> None:
        if not self._keep:
            return
        self._times.append(self._current[0])
        self._faces.append(self._current[2])
        picture = cv2.cvtColor(self._current[1], cv2.COLOR_RGB2BGR)
        cv2.imwrite(
            str(self._file(len(self._times) - 1)), picture, [cv2.IMWRITE_PNG_COMPRESSION, 1]
        )

    def _file(self, index: int) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / f"{index}.png"
