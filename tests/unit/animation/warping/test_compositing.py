"""Boxes and blends against plain numpy."""

import numpy as np

from xpress.animation.warping.compositing import apply_gain, blend, clip_box, inside, intersect


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (12, 15, 3), np.uint8)


def test_boxes():
    assert clip_box((-3, 2, 20, 30), 12, 15) == (0, 2, 15, 12)
    assert clip_box((-30, 2, -20, 9), 12, 15) == (0, 2, 0, 9)
    assert clip_box((40, 2, 60, 9), 12, 15) == (15, 2, 15, 9)
    assert intersect((0, 0, 5, 5), (3, 2, 9, 4)) == (3, 2, 5, 4)
    x0, _, x1, _ = intersect((0, 0, 5, 5), (7, 0, 9, 4))
    assert x1 == x0


def test_inside_finds_a_box_in_the_array_of_another():
    image = picture()
    rows, columns = inside((4, 3, 12, 9), (6, 5, 8, 7))
    assert np.array_equal(image[3:9, 4:12][rows, columns], image[5:7, 6:8])


def test_gain():
    image, change = picture(), np.zeros((12, 15), np.float32)
    change[4:8] = np.random.default_rng(1).uniform(-0.4, 0.6, (4, 15))
    expected = np.clip(np.floor(image * (1 + change[..., None]) + 0.5), 0, 255)
    brightened = image.copy()
    apply_gain(brightened, change)
    still = np.abs(change) < 1 / 512
    assert np.array_equal(brightened[still], image[still])
    assert np.abs(brightened.astype(float) - expected)[~still].max() <= 1


def test_blend():
    below = picture()
    above = picture(1).astype(np.float32)
    alpha = np.random.default_rng(2).uniform(0, 1, (12, 15)).astype(np.float32)
    alpha[:3], alpha[3:6] = 0, 1
    mixed = below.copy()
    blend(mixed, above, alpha)
    assert np.array_equal(mixed[:3], below[:3])
    assert np.array_equal(mixed[3:6], above[3:6].astype(np.uint8))
    expected = below + alpha[..., None] * (above - below)
    assert np.abs(mixed - expected).max() <= 0.51


def test_blend_writes_into_a_view_and_heeds_the_weight():
    image = picture()
    whole = image.copy()
    white = np.full((4, 5, 3), 255, np.float32)
    blend(whole[2:6, 3:8], white, np.ones((4, 5), np.float32), weight=0.0)
    assert np.array_equal(whole, image)
    blend(whole[2:6, 3:8], white, np.ones((4, 5), np.float32), weight=0.5)
    middle = (image[2:6, 3:8].astype(float) + 255) / 2
    assert np.abs(whole[2:6, 3:8] - middle).max() <= 0.51
    whole[2:6, 3:8] = image[2:6, 3:8]
    assert np.array_equal(whole, image)


def test_blend_does_not_overflow():
    dark = np.zeros((2, 2, 3), np.uint8)
    blend(dark, np.full((2, 2, 3), 400, np.float32), np.ones((2, 2), np.float32))
    assert (dark == 255).all()
    blend(dark, np.full((2, 2, 3), -40, np.float32), np.ones((2, 2), np.float32))
    assert (dark == 0).all()
