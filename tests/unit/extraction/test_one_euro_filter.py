import math

import numpy as np
import pytest

from xpress.extraction.one_euro_filter import DeadBand, FaceFilter, GazeFilter, OneEuroFilter
from xpress.morphable.gaze import gaze_of, looks_of


def published(values, rate, min_cutoff, beta, derivative_cutoff):
    """Algorithm 1 of the paper, one number at a time."""

    def alpha(cutoff):
        tau = 1 / (2 * math.pi * cutoff)
        return 1 / (1 + tau * rate)

    result, speed, last_raw = [values[0]], 0.0, values[0]
    for value in values[1:]:
        a = alpha(derivative_cutoff)
        speed = a * (value - last_raw) * rate + (1 - a) * speed
        last_raw = value
        a = alpha(min_cutoff + beta * abs(speed))
        result.append(a * value + (1 - a) * result[-1])
    return np.array(result)


def test_vector_filter_is_the_published_one_per_element():
    values = np.random.default_rng(0).normal(size=(60, 3)).cumsum(0)
    smooth = OneEuroFilter(1.2, 0.4, 0.9)
    got = np.array([smooth(value, 1 / 30) for value in values])
    expected = [published(values[:, i].tolist(), 30, 1.2, 0.4, 0.9) for i in range(3)]
    np.testing.assert_allclose(got, np.array(expected).T, rtol=1e-9)


def test_cutoffs_may_differ_by_element():
    smooth = OneEuroFilter(np.array([0.5, 50.0]), np.zeros(2))
    smooth(np.zeros(2), 0.04)
    slow, fast = smooth(np.ones(2), 0.04)
    assert slow < 0.2 < 0.9 < fast


def test_same_motion_at_other_frame_rates():
    def step_response(rate):
        smooth = OneEuroFilter(1.0, 0.0)
        smooth(np.zeros(1), 0.0)
        return [smooth(np.ones(1), 1 / rate)[0] for _ in range(rate // 2)][-1]

    assert step_response(120) == pytest.approx(step_response(30), abs=0.03)


def test_noise_at_rest_shrinks_and_reset_forgets():
    noise = np.random.default_rng(1).normal(size=(300, 1)) * 0.01
    smooth = OneEuroFilter(1.0, 0.1)
    got = np.array([smooth(value, 1 / 25) for value in noise])
    assert got[50:].std() < 0.5 * noise.std()
    smooth.reset()
    assert smooth(np.array([9.0]), 1 / 25) == 9.0


def test_blink_passes_and_jitter_does_not(world):
    smooth = FaceFilter()
    closing = [0, 0, 0, 0.5, 1.0, 1.0, 0.5, 0, 0, 0]
    lid = world.model.expression_names.index("eyeBlink_L")
    got = [
        smooth(world.sample(50, 50, blink=blink), i / 25).expression[lid]
        for i, blink in enumerate(closing)
    ]
    assert max(got) > 0.9
    assert got[-1] < 0.1

    generator = np.random.default_rng(2)
    smooth, raw, filtered = FaceFilter(), [], []
    for i in range(100):
        face = world.sample(50 + 0.2 * generator.normal(), 50)
        raw.append(face.translation[0])
        filtered.append(smooth(face, i / 25).translation[0])
    assert np.diff(filtered).std() < 0.5 * np.diff(raw).std()


def test_moving_head_is_not_followed_late(world):
    """Half a face size a second: the mesh may slip by 2% of the face."""
    smooth, places = FaceFilter(), 50 + 0.5 * 50 * np.arange(40) / 25
    filtered = [smooth(world.sample(x, 50), i / 25).translation[0] for i, x in enumerate(places)]
    assert np.abs(filtered - places)[15:].max() < 1.0


def test_identity_settles_to_its_mean(world):
    generator = np.random.default_rng(3)
    smooth = FaceFilter()
    face = world.sample(50, 50)
    for i in range(200):
        noisy = face.replace(identity=1 + 0.5 * generator.normal(size=face.identity.shape))
        last = smooth(noisy, i / 25)
    assert np.abs(last.identity - 1).mean() < 0.15


def test_what_trembles_within_reach_stands_still_and_what_moves_is_dragged_along():
    calm = DeadBand(0.01)
    tremble = 0.5 + 0.009 * np.sin(np.arange(40))[:, None] * np.ones(3)
    first = calm(np.full(3, 0.5))
    assert all(np.array_equal(calm(value), first) for value in tremble)
    rising = np.array([calm(np.full(3, 0.5 + 0.02 * i)) for i in range(1, 6)])
    np.testing.assert_allclose(rising[:, 0], 0.49 + 0.02 * np.arange(1, 6))
    calm.reset()
    assert calm(np.full(3, 9.0))[0] == 9.0


def test_a_face_that_holds_still_but_for_noise_becomes_constant(world):
    generator = np.random.default_rng(4)
    smooth, seen = FaceFilter(steady_identity=False), []
    for i in range(80):
        face = world.sample(50, 50, jaw=0.4)
        noisy = face.replace(
            expression=face.expression + 0.001 * generator.normal(size=face.expression.shape),
            identity=face.identity + 0.003 * generator.normal(size=face.identity.shape),
        )
        seen.append(smooth(noisy, i / 25))
    steps = [
        np.abs(np.diff([getattr(f, name) for f in seen[20:]], axis=0))
        for name in ("expression", "identity")
    ]
    assert max((step > 0).mean() for step in steps) < 0.02
    assert max(step.max() for step in steps) < 0.003


def test_eyes_rest_jump_and_are_kept_while_the_lids_hide_them():
    noise = 0.03 * np.random.default_rng(3).normal(size=(60, 3))
    turned = np.where(np.arange(60) < 30, 0.0, 0.5)[:, None] * (1, 0, 0) + noise
    smooth = GazeFilter()
    got = np.array(
        [gaze_of(smooth(looks_of(gaze), 0.04 * (i > 0), 1.0)) for i, gaze in enumerate(turned)]
    )
    assert got[10:30, 0].std() < 0.6 * turned[10:30, 0].std()
    assert got[32, 0] > 0.25
    assert got[40:, 0].mean() == pytest.approx(0.5, abs=0.05)
    held = gaze_of(smooth(looks_of(np.array([-0.6, -0.9, 0])), 0.04, 0.0))
    np.testing.assert_allclose(held, got[-1], atol=0.05)


def test_lips_that_are_read_well_are_hardly_late(world, model):
    names = model.expression_names
    jaw, brow = names.index("jawOpen"), names.index("browDown_L")
    times = np.arange(50) / 25
    opened = 0.3 + 0.3 * np.sin(2 * np.pi * 3 * times)  # three syllables a second
    plain, quick = FaceFilter(), FaceFilter(lips=[jaw])
    errors = []
    for smooth in (plain, quick):
        seen = []
        for time, value in zip(times, opened, strict=True):
            face = world.sample(80, 80)
            expression = face.expression.copy()
            expression[[jaw, brow]] = value
            seen.append(smooth(face.replace(expression=expression), time).expression)
        errors.append(np.abs(np.array(seen)[10:, [jaw, brow]] - opened[10:, None]).mean(0))
    assert errors[1][0] < 0.6 * errors[0][0]
    assert errors[1][1] == pytest.approx(errors[0][1])
