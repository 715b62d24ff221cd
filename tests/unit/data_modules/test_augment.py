from __future__ import annotations

import numpy as np
import pytest
from xpress.data_modules.augment import Augment, cut_flipped, photometric, to_grey
from xpress.data_modules.faces.negatives import cut_negative, negative_crop

from xpress.media.crop import Crop

BOX = np.array([40.0, 50.0, 120.0, 140.0])


def overlap(a: Crop, b: Crop) -> float:
    """Intersection over union of two crops, their roll left out."""
    low = np.maximum(np.array(a.center) - a.side / 2, np.array(b.center) - b.side / 2)
    high = np.minimum(np.array(a.center) + a.side / 2, np.array(b.center) + b.side / 2)
    common = np.prod(np.clip(high - low, 0, None))
    return float(common / (a.side**2 + b.side**2 - common))


def test_crops_stay_in_their_ranges():
    augment, rng = Augment(), np.random.default_rng(0)
    crops = [augment.crop(rng, BOX, 128) for _ in range(2000)]
    ratios = np.array([crop.side for crop in crops]) / 90
    assert ratios.min() >= 1.2
    assert ratios.max() <= 1.8
    assert np.log(ratios).mean() == pytest.approx(np.log(1.2 * 1.8) / 2, abs=0.01)
    angles = np.rad2deg([crop.angle for crop in crops])
    assert 22 < np.abs(angles).max() <= 25
    assert np.median(np.abs(angles)) < 8
    shifts = np.array([np.subtract(crop.center, (80, 95)) / crop.side for crop in crops])
    assert shifts.std(0) == pytest.approx([0.08, 0.08], rel=0.1)
    assert np.abs(shifts).max() <= 0.2 + 1e-9


@pytest.mark.parametrize("flip", [False, True])
def test_the_matrix_says_where_pixels_go(flip):
    image = np.zeros((150, 170, 3), np.uint8)
    image[90:93, 61:64] = 255  # a spot around (62, 91)
    pixels, matrix = cut_flipped(image, Crop((80.0, 95.0), 120.0, 128, 0.3), flip)
    spot = np.array([170 - 1 - 62 if flip else 62, 91, 1]) @ matrix.T
    weight = pixels[..., 0].astype(float)
    y, x = np.mgrid[:128, :128]
    found = np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
    assert found == pytest.approx(spot, abs=0.1)


def test_filters_move_nothing():
    # A step edge stays where it is under every filter.
    image = np.full((64, 64, 3), 60, np.uint8)
    image[:, 32:] = 190
    filters = photometric(1.0, seed=3)
    for transform in filters.transforms:
        if type(transform).__name__ == "CoarseDropout":
            continue
        out = transform(image=image, force_apply=True)["image"].astype(float).mean((0, 2))
        middle = (out[:16].mean() + out[-16:].mean()) / 2
        # the first column beyond the middle, interpolated
        right = int(np.argmax(out > middle))
        edge = right - (out[right] - middle) / (out[right] - out[right - 1])
        # half-pixel steps of a down- and upscaled edge are the largest
        assert abs(edge - 31.5) < 1.1, transform


def test_filters_repeat_by_seed():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    runs = []
    for seed in (1, 1, 2):
        filters = photometric(1.0, seed)
        runs.append(np.stack([filters(image=image)["image"] for _ in range(20)]))
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_strength_zero_switches_filters_off():
    assert Augment(photometric=0.0).filters(0) is None


def test_grey_has_equal_channels():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    grey = to_grey(image)
    assert np.ptp(grey, axis=2).max() == 0
    luma = image @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey[..., 0] - luma).max() <= 1


def test_negative_crops_never_frame_the_face():
    rng = np.random.default_rng(0)
    frame = Crop.around(BOX.reshape(2, 2))
    negatives = [overlap(frame, negative_crop(rng, BOX, 128)) for _ in range(2000)]
    assert max(negatives) < 0.45
    augment = Augment()
    positives = [overlap(frame, augment.crop(rng, BOX, 128)) for _ in range(2000)]
    assert np.quantile(positives, 0.05) > max(negatives)


def test_negative_pictures_do_not_repeat_the_face():
    # the face is red, all around it blue: nothing red may be mirrored in from the border
    image = np.zeros((160, 160, 3), np.uint8)
    image[..., 2] = 200
    image[50:110, 50:110] = (200, 0, 0)
    box = np.array([50.0, 50.0, 110.0, 110.0])
    for seed in range(200):
        rng = np.random.default_rng(seed)
        crop = negative_crop(rng, box, 128)
        pixels = cut_negative(np.random.default_rng(seed), image, box, 128)
        y, x = np.nonzero((pixels[..., 0] == 200) & (pixels[..., 1:] == 0).all(2))
        where = crop.to_image(np.stack([x, y], 1).astype(float))
        assert where.size == 0 or ((where > 48) & (where < 112)).all()
