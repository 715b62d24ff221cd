"""Smoothing over time that does not lag behind fast motion.

Casiez, Roussel and Vogel, "1€ Filter: A Simple Speed-based Low-pass Filter for Noisy Input in
Interactive Systems", CHI 2012.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from xpress.extraction.face_sample import FaceSample
from xpress.morphable.gaze import gaze_of, looks_of


class OneEuroFilter:
    """A low-pass filter whose cutoff rises with speed, for vectors.

    Args:
        min_cutoff: cutoff at rest, Hz; a number or one per element.
        beta: Hz of cutoff per unit of speed (units of the signal a second).
        derivative_cutoff: cutoff of the speed's own filter, Hz.
    """

    def __init__(
        self,
        min_cutoff: float | np.ndarray,
        beta: float | np.ndarray,
        derivative_cutoff: float = 1.0,
    ) -> None:
        self.min_cutoff = min_cutoff
        self.beta = beta
        self.derivative_cutoff = derivative_cutoff
        self.reset()

    def reset(self) -> None:
        """Forget the past; the next value passes as it is."""
        self._value: np.ndarray | None = None
        self._raw = self._speed = np.zeros(0)

    def __call__(self, value: Float[np.ndarray, "*N"], step: float) -> Float[np.ndarray, "*N"]:
        """The filtered value, `step` seconds after the last."""
        if self._value is None:
            self._value = self._raw = np.array(value, np.float64)
            self._speed = np.zeros_like(self._value)
            return self._value.copy()
        step = max(step, 1e-4)
        speed = (value - self._raw) / step
        self._raw = np.array(value, np.float64)
        self._speed = self._speed + _alpha(self.derivative_cutoff, step) * (speed - self._speed)
        cutoff = self.min_cutoff + self.beta * np.abs(self._speed)
        self._value = self._value + _alpha(cutoff, step) * (value - self._value)
        return self._value.copy()


class DeadBand:
    """Drags a value along behind its input: what trembles within the reach stands still.

    Args:
        reach: how far the input may be from the value; a number or one per element.
    """

    def __init__(self, reach: float | np.ndarray) -> None:
        self.reach = reach
        self.reset()

    def reset(self) -> None:
        """Forget the past; the next value passes as it is."""
        self._value: np.ndarray | None = None

    def __call__(self, value: Float[np.ndarray, "*N"]) -> Float[np.ndarray, "*N"]:
        """The last answer, or the nearest to it that is within reach of the new value."""
        last = value if self._value is None else self._value
        self._value = np.clip(last, value - self.reach, value + self.reach)
        return self._value.copy()


class GazeFilter:
    """Holds the eyes still while they rest, lets them jump, and keeps them while lids hide them.

    Eyes rest for a fraction of a second and jump by 0.3 activations within two frames; what is
    read of an eye that closes follows the lid, not the gaze.
    """

    def __init__(self) -> None:
        self._filter = OneEuroFilter(1.5, 4.0, 2.0)
        self.reset()

    def reset(self) -> None:
        """Forget the past; the next value passes as it is."""
        self._filter.reset()
        self._held: np.ndarray | None = None

    def __call__(
        self, looks: Float[np.ndarray, "8"], step: float, seen: float
    ) -> Float[np.ndarray, "8"]:
        """Filtered activations of `GAZE_SHAPES`.

        Args:
            looks: as read.
            step: seconds since the last ones.
            seen: how far they can be trusted, 0 to 1.
        """
        gaze = gaze_of(looks)
        if self._held is not None:
            gaze = self._held + seen * (gaze - self._held)
        self._held = self._filter(gaze, step)
        return looks_of(self._held)


class FaceFilter:
    """One-Euro filters on what moves in a tracked face, and dead bands behind them.

    Expression: speeds are activations a second, a blink's is about 10. Pose: the head's angle in
    radians, its place in face sizes, so that a large face is not smoothed less than a small one;
    a head that nods moves by about 0.3 a second and must not be followed two frames late, or the
    mesh slips on the face.
    Who it is and how it is lit hardly changes, so those are filtered at a fixed low cutoff; but
    in a driver the identity of a frame carries some of what moves, and then follows at once.

    The dead bands are as wide as what a camera's noise leaves on a face that holds still, and
    narrower than what is seen: without them a drawn mouth would shimmer.

    Args:
        steady_identity: whether the identity is filtered as one that does not change.
        gaze: places of `GAZE_SHAPES` in the expression; none where the model has none.
        lips: places of shapes that a `LipReader` has read, with a third of the encoder's error:
            they are filtered less, since lips that are late do not form the words.
    """

    def __init__(
        self, steady_identity: bool = True, gaze: Sequence[int] = (), lips: Sequence[int] = ()
    ) -> None:
        self.steady_identity = steady_identity
        self._gaze, self._looks = list(gaze), GazeFilter()
        self._lips, self._words = list(lips), OneEuroFilter(8.0, 12.0, 2.0)
        self._expression = OneEuroFilter(4.0, 4.0, 2.0)
        self._pose = OneEuroFilter(2.0, 20.0)
        self._steady = OneEuroFilter(0.3, 0.0)
        self._calm_expression, self._calm_identity = DeadBand(0.004), DeadBand(0.012)
        self._calm_pose = DeadBand(0.002)
        self._time: float | None = None
        self._unit = 1.0

    def reset(self) -> None:
        """Forget the past, after a cut or a lost face."""
        for part in (self._expression, self._words, self._pose, self._steady, self._looks):
            part.reset()
        for calm in (self._calm_expression, self._calm_identity, self._calm_pose):
            calm.reset()
        self._time = None

    def __call__(self, face: FaceSample, time: float) -> FaceSample:
        """The face with filtered parameters; its landmarks are left to the caller.

        Args:
            face: as extracted.
            time: seconds, of the frame.
        """
        if self._time is None:
            self._unit = face.scale * FACE_UNITS
        step = 0.0 if self._time is None else time - self._time
        self._time, unit = time, self._unit
        pose = np.concatenate([face.rotation, face.translation / unit, [np.log(face.scale)]])
        slow = [face.color, face.illumination.ravel()]
        quick = [face.expression]
        (slow if self.steady_identity else quick).append(face.identity)
        pose = self._calm_pose(self._pose(pose, step))
        slow = _split(self._steady(np.concatenate(slow), step), slow)
        quick = _split(self._expression(np.concatenate(quick), step), quick)
        if self._lips:
            quick[0][self._lips] = self._words(face.expression[self._lips], step)
        expression = np.clip(self._calm_expression(quick[0]), 0, 1)
        if self._gaze:
            looks = face.expression[self._gaze]
            expression[self._gaze] = self._looks(looks, step, face.gaze_seen)
        return face.replace(
            identity=self._calm_identity((slow if self.steady_identity else quick)[-1]),
            color=slow[0],
            illumination=slow[1].reshape(9, 3),
            expression=expression,
            rotation=pose[:3],
            translation=pose[3:5] * unit,
            scale=float(np.exp(pose[5])),
        )


def _split(joined: np.ndarray, parts: list[np.ndarray]) -> list[np.ndarray]:
    return np.split(joined, np.cumsum([len(part) for part in parts])[:-1])


FACE_UNITS = 18.0
"""Height of a face in model units."""


def _alpha(cutoff: float | np.ndarray, step: float) -> float | np.ndarray:
    """Equation 5 of the paper."""
    ratio = 2 * np.pi * cutoff * step
    return ratio / (ratio + 1)
