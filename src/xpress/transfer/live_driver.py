"""The driver of a live picture: frames go out at once, and the rest is learned on the way."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from xpress.extraction.face_sample import FaceSample
from xpress.transfer.driver import DriverFrame, FaceFollower
from xpress.transfer.head_motion import HeadPose
from xpress.transfer.pose_filter import PoseFilter
from xpress.transfer.resting_face import LOOK_AHEAD, RestingFace

_LEARNED = 0.1
"""Share by which the rest moves, a frame, towards what the last seconds say it is."""


class LiveDriver:
    """Expressions and poses relative to a rest that is estimated while they go out.

    The first face counts as a photograph; over the first `LOOK_AHEAD` seconds the rest becomes
    that of a clip, see `RestingFace`, and then stays. Faces that are lost and found are followed as
    in a video, see `FaceFollower`.

    Args:
        resting: estimates the resting face.
        smoothing: filter the head's pose over time.
    """

    def __init__(self, resting: RestingFace, smoothing: bool = True) -> None:
        self._resting = resting
        self._smoothing = smoothing
        self._follower: FaceFollower | None = None
        self._seen: list[FaceSample] = []
        self._until = Fraction(0)
        self._face: FaceSample | None = None

    def __call__(self, time: Fraction, face: FaceSample | None) -> DriverFrame | None:
        """The frame at a time in seconds; None before the first face."""
        if face is not None:
            self._face = face
            if self._follower is None:
                rest = self._resting.of_photo(face.expression, face.identity)
                steady = PoseFilter() if self._smoothing else None
                self._follower = FaceFollower(self._resting, rest, HeadPose.of(face), steady)
                self._until = time + Fraction(LOOK_AHEAD)
            if time <= self._until:
                self._learn(self._follower, face)
        return None if self._follower is None else self._follower(time, face)

    def take_rest(self) -> None:
        """Let the face as it is now count as the rest, from here on."""
        if self._face is not None and self._follower is not None:
            face = self._face
            measured = self._resting.geometry.measure(face.expression, face.identity)
            self._follower.rest, self._follower.resting_pose = measured, HeadPose.of(face)
            self._until = Fraction(-1)

    def _learn(self, follower: FaceFollower, face: FaceSample) -> None:
        self._seen.append(face)
        expressions = np.array([seen.expression for seen in self._seen])
        identities = np.array([seen.identity for seen in self._seen])
        rest = self._resting.of_clip(expressions, identities)
        follower.rest = follower.rest.towards(rest, _LEARNED)
        usual = HeadPose.usual(self._seen)
        follower.resting_pose = follower.resting_pose.towards(usual, _LEARNED)
