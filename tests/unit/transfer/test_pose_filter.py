"""A head that trembles stands still, and one that moves is followed."""

import numpy as np

from xpress.transfer.head_motion import HeadPose
from xpress.transfer.pose_filter import PoseFilter


def filtered(rotations):
    steady = PoseFilter()
    poses = [HeadPose(r, np.array([100.0, 100.0]), 10.0) for r in rotations]
    return np.array([steady(pose, 0.04 * n).rotation for n, pose in enumerate(poses)])


def test_noise_is_taken_out():
    noise = np.random.default_rng(0).normal(0, 0.003, (200, 3))
    shown = filtered(noise)
    assert np.abs(np.diff(shown, 2, axis=0)).mean() < 0.1 * np.abs(np.diff(noise, 2, axis=0)).mean()


def test_a_nod_is_followed_within_a_frame_or_two():
    times = 0.04 * np.arange(100)
    nod = np.column_stack([0.25 * np.sin(2 * np.pi * times), 0 * times, 0 * times])
    shown = filtered(nod)[25:, 0]
    error = [np.abs(shown - nod[25 - lag : 100 - lag, 0]).mean() for lag in range(5)]
    assert np.argmin(error) <= 2
    assert shown.std() > 0.85 * nod[25:, 0].std()


def test_reset_forgets():
    steady = PoseFilter()
    first = HeadPose(np.zeros(3), np.zeros(2), 10.0)
    second = HeadPose(np.ones(3), np.ones(2), 20.0)
    steady(first, 0.0)
    steady.reset()
    np.testing.assert_allclose(steady(second, 0.04).rotation, 1)
