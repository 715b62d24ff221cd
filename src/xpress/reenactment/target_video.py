"""The picture that receives the expression: a photograph, or the frames of a video."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from xpress.animation.openings.eye_picture import OpenEyes
from xpress.errors import InputError
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.face_window import FaceWindow
from xpress.morphable.expression_geometry import MeasuredExpression
from xpress.structures import FaceParameters
from xpress.transfer.driver import DriverFrame
from xpress.transfer.expression_transfer import ExpressionTransfer
from xpress.transfer.head_motion import HeadMotion, HeadPose
from xpress.transfer.head_transfer import HeadTransfer, looking_on
from xpress.transfer.idle_motion import IdleMotion
from xpress.transfer.resting_face import RestingFace
from xpress.whole_files import scratch_folder

UPPER_LIDS, LOWER_LIDS = [37, 38, 43, 44], [41, 40, 47, 46]
"""Opposite landmarks of the right and of the left eye."""


@runtime_checkable
class Animator(Protocol):
    """Moves the face of a picture; see `animator.FaceAnimator`."""

    def set_target(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        parameters: FaceParameters,
        opened: OpenEyes | None = None,
    ) -> object:
        """Take the picture and its face's parameters, in pixels of the picture.

        `opened` shows what the face's eyes look like where they are shut in the picture.
        """

    def render(
        self, expression: Float32[np.ndarray, " Ke"], head: HeadMotion | None = None
    ) -> UInt8[np.ndarray, "H W 3"]:
        """The picture with the face showing that expression, and the head moved."""

    def twin(self) -> Animator:
        """Another one of the same picture, for another thread."""


@dataclass(frozen=True)
class TargetFace:
    """A face of the target and the expression it rests at.

    Attributes:
        face: as it is in the picture.
        rest: what counts as its resting expression.
        share: how far it follows the source, in [0, 1]; see `transfer.fading`.
        opened: the face in another frame of its video, its eyes open.
    """

    face: FaceSample
    rest: MeasuredExpression
    share: float = 1.0
    opened: OpenEyes | None = None

    def faded(self, share: float) -> TargetFace:
        """The same face with another share."""
        return replace(self, share=share)


class FaceHistory:
    """What the first seconds of a clip show of one face.

    Attributes:
        faces: in order of time.
        opened: the frame in which the eyes are open widest.
    """

    def __init__(self) -> None:
        self.faces: list[FaceSample] = []
        self.opened: OpenEyes | None = None
        self._widest = 0.0

    def add(self, image: UInt8[np.ndarray, "H W 3"], face: FaceSample) -> None:
        """The next frame that shows it."""
        self.faces.append(face)
        widest = _least_gap(face.landmarks68)
        if widest > self._widest:
            window = FaceWindow.around(face, *image.shape[:2])
            picture = window.cut(image).copy()
            self._widest, self.opened = widest, OpenEyes(picture, window.shifted(face).parameters)

    def rest(self, resting: RestingFace) -> MeasuredExpression:
        """What counts as its resting expression."""
        expressions = np.array([face.expression for face in self.faces])
        return resting.of_clip(expressions, np.array([face.identity for face in self.faces]))


def _least_gap(landmarks68: Float[np.ndarray, "68 2"]) -> float:
    """Between the lids of the eye that is less open, over the distance of the outer corners."""
    upper, lower = landmarks68[UPPER_LIDS], landmarks68[LOWER_LIDS]
    gaps = np.linalg.norm(lower - upper, axis=1).reshape(2, 2).mean(1)
    return float(gaps.min() / max(np.linalg.norm(landmarks68[45] - landmarks68[36]), 1e-6))


_Frame = tuple[Fraction, UInt8[np.ndarray, "H W 3"], list[TargetFace | None]]
TargetFrames = Iterator[_Frame]


class TargetAnimator:
    """Animates the faces of one picture after another.

    Args:
        animators: makes an animator; each face has its own.
        transfer: mixes the driver's and the target's expressions.
        head: says how far the target's head follows.
        idle: a motion of its own besides the driver's.
        looking_on: keep the eyes where they look while the head turns.
    """

    def __init__(
        self,
        animators: Callable[[], Animator],
        transfer: ExpressionTransfer,
        head: HeadTransfer | None = None,
        idle: IdleMotion | None = None,
        looking_on: bool = False,
    ) -> None:
        self._make = animators
        self._head = head or HeadTransfer(0.0)
        self._idle, self._looking_on = idle, looking_on
        self._animators: list[Animator] = []
        self.transfer = transfer
        self._image = np.zeros((0, 0, 3), np.uint8)
        self._faces: list[tuple[Animator, TargetFace, FaceWindow]] = []

    def set(self, image: UInt8[np.ndarray, "H W 3"], faces: Sequence[TargetFace | None]) -> None:
        """The picture to animate from now on; None is a face that is out of sight."""
        self._image, self._faces = image, []
        while len(self._animators) < len(faces):
            self._animators.append(self._make())
        for animator, rested in zip(self._animators, faces, strict=False):
            if rested is not None:
                window = FaceWindow.around(rested.face, *image.shape[:2])
                parameters = window.shifted(rested.face).parameters
                animator.set_target(window.cut(image), parameters, rested.opened)
                self._faces.append((animator, rested, window))

    def twin(self) -> TargetAnimator:
        """Another one of the same picture, for another thread."""
        other = copy.copy(self)
        other._animators = [animator.twin() for animator in self._animators]
        twins = dict(zip(map(id, self._animators), other._animators, strict=True))
        other._faces = [(twins[id(one)], rested, window) for one, rested, window in self._faces]
        return other

    @property
    def image(self) -> UInt8[np.ndarray, "H W 3"]:
        """The picture that was set last."""
        return self._image

    def render(self, driver: DriverFrame) -> UInt8[np.ndarray, "H W 3"]:
        """The picture with all its faces driven; a new array."""
        drawn = [self._drawn(animator, driver, rested) for animator, rested, _ in self._faces]
        if len(drawn) == 1 and self._faces[0][2].whole:
            return drawn[0]
        result = self._image.copy()
        for frame, (_, _, window) in zip(drawn, self._faces, strict=True):
            changed = (frame != self._image[window.place]).any(-1)
            result[window.place][changed] = frame[changed]
        return result

    def _drawn(
        self, animator: Animator, driver: DriverFrame, rested: TargetFace
    ) -> UInt8[np.ndarray, "H W 3"]:
        """One face's window."""
        motion, expression = self.motion(driver, rested), self.expression(driver, rested)
        if self._looking_on:
            expression = looking_on(expression, motion, self.transfer.names)
        expression = expression.astype(np.float32)
        if motion.is_still:
            return animator.render(expression)
        return animator.render(expression, motion)

    def motion(self, driver: DriverFrame, rested: TargetFace) -> HeadMotion:
        """How the head of a face of the target moves for a frame of the driver."""
        moved = self._head(driver, HeadPose.of(rested.face))
        if self._idle is not None:
            moved = moved.plus(self._idle.motion(float(driver.time)))
        return moved if rested.share == 1 else moved.scaled(rested.share)

    def expression(self, driver: DriverFrame, rested: TargetFace) -> Float[np.ndarray, " Ke"]:
        """What a face of the target shows for a frame of the driver."""
        own = rested.face.expression
        moved = self.transfer(driver.measured, driver.rest, rested.rest, own)
        if self._idle is not None:
            moved = self._idle.expression(moved, float(driver.time))
        return moved if rested.share == 1 else own + rested.share * (moved - own)


class PingPongVideo:
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
        self._faces: list[list[TargetFace | None]] = []
        self._current = next(frames)
        self._following = next(frames, None)
        self._folder = scratch_folder() if keep else None
        self._store()

    def close(self) -> None:
        """Remove the temporary folder and stop decoding."""
        if self._folder is not None:
            self._folder.discard()
        close = getattr(self._frames, "close", None)
        if close is not None:
            close()

    def times(self) -> Iterator[Fraction]:
        """Of the video's own frames, each as soon as it is decoded; read each with `at`."""
        yield self._current[0]
        while self._following is not None:
            yield self._following[0]

    def at(self, time: Fraction) -> tuple[UInt8[np.ndarray, "H W 3"], list[TargetFace | None]]:
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
        file = self._file(len(self._times) - 1)
        if not cv2.imwrite(str(file), picture, [cv2.IMWRITE_PNG_COMPRESSION, 1]):
            self.close()
            raise InputError(
                f"{file.parent.parent}: no room for the frames of a target that plays back and "
                "forth; name another folder for temporary files with TMPDIR"
            )

    def _file(self, index: int) -> Path:
        assert self._folder is not None
        return self._folder.path / f"{index}.png"
