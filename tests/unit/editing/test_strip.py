"""Strips and sweeps."""

import numpy as np
import pytest

from xpress.editing.strip import FPS, HOLD, SWEEP, face_strip, sweep
from xpress.extraction.face_sample import FaceSample


def face(x: float, y: float, size: float) -> FaceSample:
    landmarks = np.random.default_rng(0).uniform(-0.4, 0.4, (68, 2)) * size + (x, y)
    landmarks[0], landmarks[16] = (x - size / 2, y - size / 2), (x + size / 2, y + size / 2)
    nothing = np.zeros(3)
    return FaceSample(
        nothing,
        nothing,
        nothing,
        np.zeros((9, 3)),
        nothing,
        nothing[:2],
        1.0,
        landmarks,
        np.zeros((138, 2)),
    )


def disc(height: int, width: int, x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    image = np.zeros((height, width, 3), np.uint8)
    image[np.hypot(columns - x, rows - y) <= radius] = 255
    return image


def test_the_source_is_shown_at_the_targets_size_and_place():
    target, source = disc(300, 400, 150, 120, 40), disc(900, 700, 400, 500, 120)
    strip = face_strip(target, [target, target], source, face(150, 120, 80), face(400, 500, 240))
    side = strip.shape[0]
    assert side == 160
    assert strip.shape[1] == 4 * side
    tiles = np.split(strip.astype(float), 4, axis=1)
    np.testing.assert_array_equal(tiles[0], tiles[1])
    assert np.abs(tiles[0] - tiles[3]).mean() < 6


def test_a_tile_stays_inside_a_small_picture():
    target = disc(90, 120, 20, 45, 30)
    strip = face_strip(target, [], target, face(20, 45, 60), face(20, 45, 60))
    assert strip.shape == (90, 180, 3)
    np.testing.assert_array_equal(strip[:, :90], target[:, :90])


def test_a_sweep_rests_on_each_step_and_jumps_nowhere():
    frames = np.array(sweep([0.5, 1.0]))
    assert len(frames) == round(FPS * (3 * HOLD + 2 * SWEEP))
    assert frames[0] == 0
    assert frames[-1] == 1
    assert (frames == 0.5).sum() >= round(FPS * HOLD)
    assert np.all(np.diff(frames) >= 0)
    assert np.diff(frames).max() < 0.5 / (SWEEP * FPS) * 1.6
    assert sweep([1.0, 0.0])[-1] == pytest.approx(0.0)
