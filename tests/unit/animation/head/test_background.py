"""Backgrounds that go on under what stands before them."""

import cv2
import numpy as np

from xpress.animation.head.background import background_plate

SIZE, UNIT = 160, 6.0


def hidden(image, radius=40):
    alpha = cv2.circle(np.zeros((SIZE, SIZE), np.uint8), (80, 80), radius, 255, -1)
    covered = image.copy()
    covered[alpha > 0] = (255, 0, 0)
    return covered, alpha


def test_what_is_free_stays_bit_by_bit():
    image = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    covered, alpha = hidden(image)
    plate = background_plate(covered, alpha, UNIT)
    np.testing.assert_array_equal(plate[alpha == 0], image[alpha == 0])


def test_a_gradient_runs_on():
    ramp = np.linspace(30, 220, SIZE).round().astype(np.uint8)
    image = np.broadcast_to(ramp[None, :, None], (SIZE, SIZE, 3)).copy()
    covered, alpha = hidden(image, 30)
    plate = background_plate(covered, alpha, UNIT)
    error = np.abs(plate.astype(int) - image)[alpha > 0]
    assert error.mean() < 12
    assert not (plate[alpha > 0] == (255, 0, 0)).all(-1).any()


def test_grain_goes_on_near_the_edge():
    grain = np.random.default_rng(1).normal(128, 12, (SIZE, SIZE, 1)).clip(0, 255)
    image = np.broadcast_to(grain, (SIZE, SIZE, 3)).astype(np.uint8)
    covered, alpha = hidden(image)
    depth = cv2.distanceTransform(alpha, cv2.DIST_L2, 5)
    near = (depth > 2) & (depth < 10)
    plate = background_plate(covered, alpha, UNIT)
    assert plate[near].std() > 0.6 * image[alpha == 0].std()


def test_nothing_and_all_covered():
    image = np.full((SIZE, SIZE, 3), 90, np.uint8)
    for value in (0, 255):
        alpha = np.full((SIZE, SIZE), value, np.uint8)
        np.testing.assert_array_equal(background_plate(image, alpha, UNIT), image)
