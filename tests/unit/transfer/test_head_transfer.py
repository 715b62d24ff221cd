"""What the driver's head does to the target's."""

from fractions import Fraction

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.morphable.expression_geometry import MeasuredExpression
from xpress.morphable.gaze import GAZE_SHAPES, gaze_of
from xpress.transfer.driver import DriverFrame
from xpress.transfer.head_motion import HeadMotion, HeadPose
from xpress.transfer.head_transfer import LOOK, HeadTransfer, head_factor, looking_on


def frame(rotation, rest=(0.0, 0.0, 0.0), place=(0.0, 0.0)):
    pose = HeadPose(np.array(rotation), np.array(place), 10.0)
    resting = HeadPose(np.array(rest), np.zeros(2), 10.0)
    calm = MeasuredExpression(np.zeros(53), np.zeros(15))
    return DriverFrame(Fraction(0), calm, calm, True, pose, resting)


OWN = HeadPose(np.array([0.0, -0.1, 0.0]), np.array([100.0, 100.0]), 20.0)


@pytest.mark.parametrize(
    ("head", "still", "factor"),
    [
        ("auto", True, 1),
        ("auto", False, 0),
        ("source", False, 1),
        ("target", True, 0),
        ("0.5", True, 0.5),
    ],
)
def test_option_means_a_factor(head, still, factor):
    assert head_factor(head, still) == factor


@pytest.mark.parametrize("head", ["both", "-1", "nan", "3"])
def test_other_options_are_told(head):
    with pytest.raises(InputError, match="choose auto, target, source"):
        head_factor(head, True)


def test_a_driver_at_rest_leaves_the_head():
    rest = (0.3, -0.2, 0.1)
    assert HeadTransfer(1.0)(frame(rest, rest), OWN).is_still


def test_relative_motion_ignores_how_target_and_rest_are_turned():
    moved = HeadTransfer(1.0)(frame((0.0, 0.4, 0.0), (0.0, 0.3, 0.0)), OWN)
    np.testing.assert_allclose(moved.rotation, [0, 0.1, 0], atol=1e-9)


def test_absolute_motion_turns_the_head_as_the_drivers_is():
    moved = HeadTransfer(1.0, "absolute")(frame((0.0, 0.05, 0.0)), OWN)
    np.testing.assert_allclose(moved.rotation, [0, 0.15, 0], atol=1e-9)


def test_factor_scales_and_zero_keeps_the_head():
    driver = frame((0.0, 0.1, 0.0), place=(10.0, 0.0))
    half = HeadTransfer(0.5)(driver, OWN)
    assert half.rotation[1] == pytest.approx(0.05)
    assert half.place[0] == pytest.approx(0.5)
    assert HeadTransfer(0.0)(driver, OWN).is_still


def test_eyes_stay_on_the_viewer_when_the_head_turns():
    names = list(GAZE_SHAPES)
    motion = HeadMotion(np.array([0.1, 0.2, 0.0]), np.zeros(2))
    gaze = gaze_of(looking_on(np.zeros(8), motion, names))
    # to the owner's right against a turn to the left, and up against a nod
    np.testing.assert_allclose(gaze[:2], [-0.2 / LOOK, 0.1 / LOOK])
    still = looking_on(np.zeros(8), HeadMotion.still(), names)
    assert not still.any()
