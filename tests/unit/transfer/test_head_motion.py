"""Rigid motions of heads: what they are relative to, and where they end."""

import cv2
import numpy as np
import pytest

from xpress.transfer.head_motion import (
    KNEE,
    READ_GAIN,
    ROTATION_LIMIT,
    UTMOST,
    HeadMotion,
    HeadPose,
    soft_limit,
)


def turned(rotation, angle, axis):
    """A pose turned by an angle around an axis of the camera."""
    turn = cv2.Rodrigues(angle * np.eye(3)[axis])[0] @ cv2.Rodrigues(np.array(rotation))[0]
    return cv2.Rodrigues(turn)[0][:, 0]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rotation_is_the_turn_in_camera_space_whatever_the_rest(axis):
    start = np.array([0.2, -0.4, 0.3])
    rest = HeadPose(start, np.zeros(2), 10.0)
    pose = HeadPose(turned(start, 0.1, axis), np.zeros(2), 10.0)
    expected = 0.1 * np.eye(3)[axis] / READ_GAIN
    np.testing.assert_allclose(HeadMotion.between(rest, pose).rotation, expected, atol=1e-12)


def test_place_and_size_do_not_depend_on_how_large_the_driver_is():
    small = [
        HeadPose(np.zeros(3), np.array(p), s) for p, s in (([50.0, 60], 5.0), ([55.0, 58], 6.0))
    ]
    large = [HeadPose(p.rotation, 4 * p.place, 4 * p.scale) for p in small]
    one, other = HeadMotion.between(*small), HeadMotion.between(*large)
    np.testing.assert_allclose(one.place, [1.0, -0.4])
    np.testing.assert_allclose(one.place, other.place)
    assert one.size == pytest.approx(np.log(1.2))
    assert other.size == pytest.approx(one.size)


def test_half_way_is_half_the_turn():
    start = np.array([0.1, 0.5, -0.2])
    first = HeadPose(start, np.array([0.0, 0.0]), 4.0)
    second = HeadPose(turned(start, 0.4, 1), np.array([10.0, 4.0]), 16.0)
    middle = first.towards(second, 0.5)
    np.testing.assert_allclose(middle.rotation, turned(start, 0.2, 1), atol=1e-12)
    np.testing.assert_allclose(middle.place, [5.0, 2.0])
    assert middle.scale == pytest.approx(8.0)


def test_small_motions_are_exact_and_large_ones_end_softly():
    values = np.linspace(-6, 6, 1201)
    limited = soft_limit(values, np.ones_like(values))
    small = np.abs(values) <= KNEE
    np.testing.assert_allclose(limited[small], values[small])
    steps = np.diff(limited) / np.diff(values)
    assert steps.min() >= 0, "does not turn back"
    assert steps.max() <= 1 + 1e-9, "does not speed up"
    assert np.abs(np.diff(steps)).max() < 0.02, "no kink"
    assert limited.max() <= UTMOST


def test_limits_keep_each_angle_apart():
    motion = HeadMotion(np.array([2.0, 0.05, -2.0]), np.zeros(2)).limited()
    assert motion.rotation[1] == pytest.approx(0.05)
    assert np.all(np.abs(motion.rotation) <= UTMOST * ROTATION_LIMIT)
    assert motion.rotation[0] > ROTATION_LIMIT[0]
    assert motion.rotation[2] < -ROTATION_LIMIT[2]
