"""A photograph's own life is mild, continuous and repeatable."""

import numpy as np
import pytest

from xpress.transfer.idle_motion import BREATH, IdleMotion

NAMES = ["jawOpen", "eyeBlink_L", "eyeBlink_R"]
TIMES = np.arange(0, 60, 0.04)


def sway(seed, amount=1.0):
    idle = IdleMotion(NAMES, amount, seed)
    return np.array([idle.motion(t).rotation for t in TIMES])


def test_a_seed_moves_alike_and_another_one_otherwise():
    np.testing.assert_array_equal(sway(3), sway(3))
    assert np.abs(sway(3) - sway(4)).max() > 0.01


def test_sway_starts_at_rest_and_is_mild_and_smooth():
    for seed in range(5):
        turned = np.rad2deg(sway(seed))
        np.testing.assert_allclose(turned[0], 0, atol=1e-9)
        assert 0.3 < turned[:, 1].std() < 3
        assert np.abs(turned).max() < 8
        assert np.abs(np.diff(turned, 2, axis=0)).max() < 0.05, "no trembling"


def test_amount_scales_the_motion():
    np.testing.assert_allclose(sway(1, 0.5), 0.5 * sway(1))


def test_breath_lifts_the_shoulders_and_returns():
    idle = IdleMotion(NAMES)
    breath = np.array([idle.motion(t).breath for t in TIMES])
    assert breath.min() == pytest.approx(0, abs=1e-6)
    assert breath.max() == pytest.approx(BREATH, rel=1e-2)


def test_blinks_close_both_eyes_now_and_then_and_nothing_else():
    idle = IdleMotion(NAMES)
    shown = np.array([idle.expression(np.array([0.2, 0.1, 0.0]), t) for t in TIMES])
    np.testing.assert_array_equal(shown[:, 0], 0.2)
    closed = shown[:, 1] > 0.9
    starts = int((closed[1:] & ~closed[:-1]).sum())
    assert 60 / 5.5 - 2 < starts < 60 / 2.2 + 2
    assert np.median(shown[:, 1]) == pytest.approx(0.1)
    np.testing.assert_array_equal(closed, shown[:, 2] > 0.89)
