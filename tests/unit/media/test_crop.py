from __future__ import annotations

import cv2
import numpy as np
import pytest

from xpress.media.crop import CROP_RATIO, Crop


def test_around_puts_the_box_in_the_middle():
    points = np.array([[10.0, 20.0], [110.0, 80.0], [60.0, 50.0]])
    crop = Crop.around(points, size=96)
    assert crop.center == (60.0, 50.0)
    assert crop.side == pytest.approx(100 * CROP_RATIO)
    assert np.allclose(crop.to_crop(np.array([60.0, 50.0])), 47.5)


@pytest.mark.parametrize("angle", [0.0, 0.4, -1.3])
def test_there_and_back(angle):
    crop = Crop((31.0, 17.0), 77.0, 128, angle)
    points = np.random.default_rng(0).uniform(-50, 150, (5, 7, 2))
    assert np.allclose(crop.to_image(crop.to_crop(points)), points)
    scale = np.linalg.norm(np.diff(crop.to_crop(points), axis=1), axis=-1)
    assert np.allclose(scale, crop.zoom * np.linalg.norm(np.diff(points, axis=1), axis=-1))


def test_a_rolled_face_stands_upright():
    # clockwise on screen with y down: the eye-to-eye line turns from +x towards +y
    angle = 0.5
    eyes = np.array([[100.0, 100.0], [100 + 40 * np.cos(angle), 100 + 40 * np.sin(angle)]])
    left, right = Crop((110.0, 110.0), 120.0, 128, angle).to_crop(eyes)
    assert right[1] == pytest.approx(left[1])
    assert right[0] > left[0]


def test_cut_copies_pixels_where_the_zoom_is_one():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    crop = Crop((31.5, 31.5), 32.0, 32)
    assert np.array_equal(crop.cut(image), image[16:48, 16:48])


@pytest.mark.parametrize("side", [24.0, 60.0, 100.0, 300.0, 900.0])
@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_cut_shows_a_blob_where_to_crop_says(side, angle):
    """Also where large faces are shrunk first (zoom below one half)."""
    height, width = 1000, 1100
    center = np.array([520.3, 470.8])
    blob = center + np.array([0.18, -0.11]) * side
    y, x = np.mgrid[:height, :width]
    spread = side / 16
    bump = np.exp(-((x - blob[0]) ** 2 + (y - blob[1]) ** 2) / (2 * spread**2))
    image = np.repeat((bump * 255)[..., None], 3, 2).astype(np.uint8)
    crop = Crop((float(center[0]), float(center[1])), side, 64, angle)
    weight = crop.cut(image)[..., 0].astype(float)
    rows, columns = np.mgrid[:64, :64]
    found = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
    assert np.abs(found - crop.to_crop(blob)).max() < 0.1


def test_a_shrunk_crop_does_not_alias():
    image = np.zeros((800, 800, 3), np.uint8)
    image[:, ::2] = 255  # one-pixel stripes average to grey
    cut = Crop((400.0, 400.0), 700.0, 64).cut(image)
    assert np.abs(cut[8:-8, 8:-8].astype(int) - 128).max() <= 12


def test_beyond_the_border_the_image_is_mirrored():
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    cut = Crop((0.0 - 0.5, 19.5), 32.0, 32).cut(image)
    padded = cv2.copyMakeBorder(image, 20, 20, 20, 20, cv2.BORDER_REFLECT_101)
    assert np.array_equal(cut, padded[24:56, 4:36])


@pytest.mark.parametrize("center", [(-500.0, 20.0), (20.0, 5000.0), (39.0, 39.0)])
def test_far_outside_still_gives_a_crop(center):
    image = np.full((40, 40, 3), 77, np.uint8)
    for side in (20.0, 400.0):
        assert Crop(center, side, 32).cut(image).shape == (32, 32, 3)


def test_a_large_crop_reaching_over_the_border_is_mirrored_there():
    """Shrinking first must mirror about the frame's edge, as the unshrunk crop does."""
    y, x = np.mgrid[:600, :600]
    image = np.stack([x * 255 / 599, y * 255 / 599, (x + y) * 255 / 1198], 2).astype(np.uint8)
    crop = Crop((60.0, 300.0), 500.0, 64)
    full = Crop(crop.center, crop.side, 500).cut(image)  # zoom one: no shrinking
    expected = cv2.resize(full, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(crop.cut(image).astype(int) - expected).max() <= 4
