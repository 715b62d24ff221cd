"""What the driver's head does becomes what the target's does."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from xpress.errors import InputError
from xpress.morphable.gaze import gaze_columns, gaze_of, looks_of
from xpress.transfer.driver import DriverFrame
from xpress.transfer.head_motion import HeadMotion, HeadPose

FOLLOWED = {"target": 0.0, "source": 1.0}
MOST = 2.0
"""Largest factor on the driver's motion."""
LOOK = 0.5
"""Radians by which an eye turns at a full activation of a shape that turns it."""


def head_factor(head: str | float, still: bool) -> float:
    """The factor that an option `head` means.

    Args:
        head: target, source, auto, or a factor.
        still: the target is a photograph, whose head auto moves.

    Raises:
        InputError: none of these.
    """
    if head == "auto":
        return 1.0 if still else 0.0
    if head in FOLLOWED:
        return FOLLOWED[str(head)]
    try:
        factor = float(head)
    except ValueError:
        factor = -1.0
    if not 0 <= factor <= MOST:
        raise InputError(
            f"head={head}: choose auto, target, source, or a factor from 0 to {MOST:g}"
        )
    return factor


class HeadTransfer:
    """The driver's motion from its rest, limited to what a photograph can follow.

    Args:
        factor: on the driver's motion; 0 keeps the target's own head.
        motion: relative to the driver's rest, or absolute: turned as the driver's head is.
    """

    def __init__(self, factor: float, motion: str = "relative") -> None:
        self.factor = factor
        self.motion = motion

    def __call__(self, driver: DriverFrame, own: HeadPose) -> HeadMotion:
        """How a target's head moves.

        Args:
            driver: the driver's frame.
            own: the pose of the target's head in its picture.
        """
        if self.factor == 0 or driver.pose is None or driver.resting_pose is None:
            return HeadMotion.still()
        moved = HeadMotion.between(driver.resting_pose, driver.pose)
        if self.motion == "absolute":
            turned = HeadMotion.between(own, driver.pose)
            moved = HeadMotion(turned.rotation, moved.place, moved.size)
        return moved.scaled(self.factor).limited()


def looking_on(
    expression: Float[np.ndarray, " Ke"], motion: HeadMotion, names: list[str]
) -> Float[np.ndarray, " Ke"]:
    """An expression whose eyes look where they looked before the head turned."""
    columns = gaze_columns(names)
    if not columns:
        return expression
    gaze = gaze_of(expression[columns])
    # a positive yaw turns the face to its owner's left, a positive pitch downwards
    gaze[:2] += np.array([-motion.rotation[1], motion.rotation[0]]) / LOOK
    result = expression.copy()
    result[columns] = looks_of(gaze)
    return result
