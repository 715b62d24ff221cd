"""Keeps a head that follows a driver from trembling."""

from __future__ import annotations

import numpy as np

from xpress.extraction.one_euro_filter import DeadBand, OneEuroFilter
from xpress.transfer.head_motion import HeadPose

MIN_CUTOFF, BETA = 1.2, 12.0
"""Cutoff of a resting head in Hz, and Hz more per radian (or 18 model units) a second."""
SIZE_CUTOFF, SIZE_BETA = 0.5, 6.0
"""The same for the logarithm of its size, which is read less well than it moves."""
REACH = 0.002
"""Radians, shares of 18 model units, or of the size, within which the pose stands still."""
FACE_UNITS = 18.0


class PoseFilter:
    """One-Euro filter and dead band on the poses of one head."""

    def __init__(self) -> None:
        cutoff = np.array([MIN_CUTOFF] * 5 + [SIZE_CUTOFF])
        beta = np.array([BETA] * 5 + [SIZE_BETA])
        self._filter = OneEuroFilter(cutoff, beta)
        self._calm = DeadBand(REACH)
        self.reset()

    def reset(self) -> None:
        """Forget the past, after a lost face."""
        self._filter.reset()
        self._calm.reset()
        self._time: float | None = None
        self._unit = 1.0

    def __call__(self, pose: HeadPose, time: float) -> HeadPose:
        """The pose, filtered.

        Args:
            pose: as read.
            time: seconds, of the frame.
        """
        if self._time is None:
            self._unit = pose.scale * FACE_UNITS
        step = 0.0 if self._time is None else time - self._time
        self._time = time
        values = np.concatenate([pose.rotation, pose.place / self._unit, [np.log(pose.scale)]])
        values = self._calm(self._filter(values, step))
        return HeadPose(values[:3], values[3:5] * self._unit, float(np.exp(values[5])))
