"""Continued pictures against brute force."""

import numpy as np
from scipy.ndimage import distance_transform_edt

from xpress.animation.warping.inpainting import crop_box, extend_colors, nearest_kept, opening_mask


def picture(height: int = 30, width: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_kept_pixels_stay_exact_and_the_rest_takes_the_colours_around():
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, :20], image[:, 20:] = (200, 30, 30), (30, 30, 200)
    image[15:25, 10:30] = (0, 255, 0)
    keep = np.ones((40, 40), bool)
    keep[14:26, 9:31] = False
    filled = extend_colors(image, keep, 1.0)
    assert np.array_equal(filled[keep], image[keep])
    assert (np.abs(filled[16:24, 10:14].astype(int) - (200, 30, 30)) <= 2).all()
    assert (np.abs(filled[16:24, 26:30].astype(int) - (30, 30, 200)) <= 2).all()
    assert filled[..., 1].max() <= 31


def test_with_nothing_or_everything_kept_the_picture_is_copied():
    image = picture()
    for keep in (np.zeros((30, 40), bool), np.ones((30, 40), bool)):
        copy = extend_colors(image, keep, 2.0)
        assert np.array_equal(copy, image)
        assert copy is not image


def test_the_nearest_kept_pixel_is_the_nearest():
    keep = np.random.default_rng(1).random((25, 35)) > 0.93
    found = nearest_kept(keep)
    assert keep[found[..., 1], found[..., 0]].all()
    rows, columns = np.indices(keep.shape)
    distance = np.hypot(found[..., 0] - columns, found[..., 1] - rows)
    exact = distance_transform_edt(~keep)
    assert (distance - exact).max() < 0.1 * exact.max()
    assert np.array_equal(found[keep], np.stack([columns, rows], -1)[keep])


def test_crops_repeat_the_border():
    image = picture()
    padded = np.pad(image, ((10, 10), (10, 10), (0, 0)), mode="edge")
    assert np.array_equal(crop_box(image, (-4, -7, 12, 9)), padded[3:19, 6:22])
    assert np.array_equal(crop_box(image, (30, 20, 47, 38)), padded[30:48, 40:57])
    assert np.array_equal(crop_box(image, (3, 4, 12, 9)), image[4:9, 3:12])


def test_an_opening_is_its_contour_and_a_little_around():
    square = np.array([[10, 8], [30, 8], [30, 20], [10, 20]], np.float32)
    exact = opening_mask((30, 40), square)
    assert exact.sum() == 21 * 13
    assert exact[8:21, 10:31].all()
    wide = opening_mask((30, 40), square, 2.0)
    assert wide[6:23, 10:31].all()
    assert not wide[:4].any()
    assert not wide[25:].any()
