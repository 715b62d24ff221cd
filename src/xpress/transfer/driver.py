"""The source's expressions over time, with the resting face they are relative to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from xpress.errors import InputError
from xpress.extraction.face_sample import FaceSample, Timed
from xpress.morphable.expression_geometry import MeasuredExpression
from xpress.transfer.fading import eased
from xpress.transfer.head_motion import HeadPose
from xpress.transfer.pose_filter import PoseFilter
from xpress.transfer.resting_face import LOOK_AHEAD, RestingFace

EASE_HEAD = Fraction(1, 2)
"""Seconds over which a head that comes back takes over: it moves further than an expression."""


@dataclass(frozen=True)
class DriverFrame:
    """What one frame of the source gives to the target.

    Attributes:
        time: seconds after the first frame.
        measured: the source's expression.
        rest: its resting expression, the same in all frames.
        detected: False where the expression of the last frame with a face is held.
        pose: of the source's head; None where it is not known.
        resting_pose: what counts as its rest, the same in all frames.
    """

    time: Fraction
    measured: MeasuredExpression
    rest: MeasuredExpression
    detected: bool = True
    pose: HeadPose | None = None
    resting_pose: HeadPose | None = None


class FaceFollower:
    """Frames of a driver from its faces, in order of time.

    Without a face the last expression and pose are held, the resting ones before the first; from
    there a face that is seen again comes in over `EASE` seconds, its head over `EASE_HEAD`.

    Args:
        resting: measures expressions.
        rest: the resting expression; it may be changed between frames.
        resting_pose: the same of the head.
        steady: filters the head's pose over time.
    """

    def __init__(
        self,
        resting: RestingFace,
        rest: MeasuredExpression,
        resting_pose: HeadPose,
        steady: PoseFilter | None = None,
    ) -> None:
        self._geometry = resting.geometry
        self._steady = steady
        self.rest, self.resting_pose = rest, resting_pose
        self._held = self._given = rest
        self._held_pose = self._pose = resting_pose
        self._gone: Fraction | None = None

    def __call__(self, time: Fraction, face: FaceSample | None) -> DriverFrame:
        """The frame at a time in seconds; None is a frame without a face."""
        if face is None:
            self._gone, self._held, self._held_pose = time, self._given, self._pose
            if self._steady is not None:
                self._steady.reset()
        else:
            self._given = self._geometry.measure(face.expression, face.identity)
            self._pose = HeadPose.of(face)
            if self._steady is not None:
                self._pose = self._steady(self._pose, float(time))
            if self._gone is not None:
                since = time - self._gone
                self._given = self._held.towards(self._given, eased(since))
                self._pose = self._held_pose.towards(self._pose, eased(since, EASE_HEAD))
        given, pose = self._given, self._pose
        return DriverFrame(time, given, self.rest, face is not None, pose, self.resting_pose)


def drive(
    faces: Iterable[Timed],
    resting: RestingFace,
    name: str,
    rest: MeasuredExpression | None = None,
    still: bool = False,
    resting_pose: HeadPose | None = None,
    steady: PoseFilter | None = None,
) -> Iterator[DriverFrame]:
    """Expressions of a source's faces, frame by frame.

    The first frames come once `LOOK_AHEAD` seconds have been seen, as the resting face is
    estimated from them; only expressions wait, no pictures. Frames before the first face show
    the resting face, later ones without a face the last expression; from there a face that is seen
    again comes in over `EASE` seconds.

    Args:
        faces: time and face of each frame, None where there is none.
        resting: estimates the resting face.
        name: of the source, for messages.
        rest: the resting expression where it is known.
        still: the source is one picture.
        resting_pose: of its head, where it is known; else the usual one of the first seconds.
        steady: filters the head's pose over time.

    Raises:
        InputError: no frame shows a face.
    """
    waiting: list[Timed] = []
    seen: list[FaceSample] = []
    stream = iter(faces)
    for time, face in stream:
        waiting.append((time, face))
        if face is not None:
            seen.append(face)
        if seen and time >= LOOK_AHEAD:
            break
    if not seen:
        raise InputError(f"{name}: no face found in any frame; give a source that shows one")
    if rest is None:
        expressions = np.array([face.expression for face in seen])
        identities = np.array([face.identity for face in seen])
        if still:
            rest = resting.of_photo(expressions[0], identities[0])
        else:
            rest = resting.of_clip(expressions, identities)
    following = FaceFollower(resting, rest, resting_pose or HeadPose.usual(seen), steady)
    for time, face in _chain(waiting, stream):
        yield following(time, face)


def _chain(waiting: list[Timed], stream: Iterator[Timed]) -> Iterator[Timed]:
    """What waits, freed as it goes, and then the rest."""
    waiting.reverse()
    while waiting:
        yield waiting.pop()
    yield from stream
