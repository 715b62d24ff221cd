"""Source positions band by band, against maps that OpenCV makes of whole pictures."""

import cv2
import numpy as np
import pytest

from xpress.animation.warping.bands import ROWS, bands
from xpress.animation.warping.raster import Grid


def remapped(image, maps, grid, box, **how):
    height, width = box[3] - box[1], box[2] - box[0]
    out = np.zeros((height, width, *image.shape[2:]), image.dtype)
    change = np.zeros((height, width), np.float32)
    for rows, positions, third in bands(maps, grid, box, **how):
        out[rows] = cv2.remap(image, *positions, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        change[rows] = third
    return out, change


@pytest.mark.parametrize("box", [(0, 0, 90, 2 * ROWS + 7), (5, 11, 60, ROWS + 12), (3, 3, 9, 4)])
def test_the_same_as_resampling_the_whole_picture(box):
    rng = np.random.default_rng(0)
    grid = Grid((12, 20, 102, 27 + 2 * ROWS), (41, 37))
    maps = cv2.GaussianBlur(rng.normal(0, 9, (41, 37, 3)).astype(np.float32), (0, 0), 3)
    image = cv2.GaussianBlur(rng.integers(0, 256, (150, 140, 3), np.uint8), (0, 0), 2)
    shown, change = remapped(image, maps, grid, box, corner=grid.box[:2])
    full = grid.to_pixels(maps)[box[1] : box[3], box[0] : box[2]]
    rows, columns = np.indices(full.shape[:2], np.float32)
    x, y = columns + grid.box[0] + box[0], rows + grid.box[1] + box[1]
    points = np.dstack([x, y]) + full[..., :2]
    wanted = cv2.remap(image, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(shown.astype(int) - wanted).max() <= 1
    assert np.allclose(change, full[..., 2], atol=1e-5)


def test_a_translated_patch_shows_the_translated_picture_bit_by_bit():
    image = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)
    maps = np.zeros((20, 30, 3), np.float32)
    maps[..., 0], maps[..., 1] = 4, -3
    grid = Grid((10, 15, 40, 35), (20, 30))
    shown, _ = remapped(image, maps, grid, (0, 0, 30, 20), corner=(10, 15))
    assert np.array_equal(shown, image[12:32, 14:44])


def test_positions_in_an_enlarged_picture_mean_the_same_places():
    ramp = np.tile(np.arange(64, dtype=np.float32) * 4, (64, 1))
    double = cv2.resize(ramp, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    maps = np.full((40, 40, 3), 2.25, np.float32)
    grid, box = Grid((0, 0, 40, 40), (40, 40)), (5, 5, 35, 35)
    plain, _ = remapped(ramp, maps, grid, box)
    fine, _ = remapped(double, maps, grid, box, zoom=2)
    assert np.abs(plain - fine).max() < 0.1


def test_a_box_without_pixels_has_no_bands():
    grid = Grid((0, 0, 8, 8), (4, 4))
    assert not list(bands(np.zeros((4, 4, 3), np.float32), grid, (0, 0, 0, 0)))
