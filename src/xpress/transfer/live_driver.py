"""The driver of a live picture: frames go out at once, and the rest is learned on the way."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from xpress.extraction.face_sample import FaceSample
from xpress.morphable.expression_geometry import MeasuredExpression
from xpress.transfer.driver import DriverFrame, eased
from xpress.transfer.resting_face import LOOK_AHEAD, RestingFace

_LEARNED = 0.1
"""Share by which the rest moves, a frame, towards what the last seconds say it is."""


class LiveDriver:
    """Expressions relative to a resting face that is estimated while they go out.

    The first face counts as a photograph; over the first `LOOK_AHEAD` seconds the rest becomes
    that of a clip, see `RestingFace`, and then stays. Frames without a face hold the last
    expression, and a face that returns comes in as in a video.

    Args:
        resting: estimates the resting face.
    """

    def __init__(self, resting: RestingFace) -> None:
        self._resting = resting
        self._seen: list[FaceSample] = []
        self._rest: MeasuredExpression | None = None
        self._given: MeasuredExpression | None = None
        self._held: MeasuredExpression | None = None
        self._gone: Fraction | None = None
        self._face: FaceSample | None = None
        self._start: Fraction | None = None

    def __call__(self, time: Fraction, face: FaceSample | None) -> DriverFrame | None:
        """The frame's expression; None before the first face."""
        if face is None:
            if self._given is None or self._rest is None:
                return None
            self._gone, self._held = time, self._given
            return DriverFrame(time, self._given, self._rest, detected=False)
        self._face = face
        rest = self._learned(time, face)
        measured = self._resting.geometry.measure(face.expression, face.identity)
        if self._gone is not None and self._held is not None:
            measured = self._held.towards(measured, eased(time - self._gone))
        self._given = measured
        return DriverFrame(time, measured, rest)

    def take_rest(self) -> None:
        """Let the face as it is now count as the rest, from here on."""
        if self._face is not None:
            face = self._face
            self._rest = self._resting.geometry.measure(face.expression, face.identity)
            self._seen, self._start = [], Fraction(-(10**6))

    def _learned(self, time: Fraction, face: FaceSample) -> MeasuredExpression:
        if self._rest is None:
            self._start = time
            self._rest = self._resting.of_photo(face.expression, face.identity)
        if self._start is not None and time - self._start <= LOOK_AHEAD:
            self._seen.append(face)
            expressions = np.array([seen.expression for seen in self._seen])
            identities = np.array([seen.identity for seen in self._seen])
            estimate = self._resting.of_clip(expressions, identities)
            self._rest = self._rest.towards(estimate, _LEARNED)
        return self._rest
