"""Near duplicates are alike as pictures and in their landmarks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from xpress.preparation.faces.duplicates import near_duplicates, perceptual_hash


@pytest.fixture
def image() -> np.ndarray:
    field = np.random.default_rng(3).standard_normal((96, 96, 3))
    smooth = cv2.GaussianBlur(field, (0, 0), 6)
    return np.clip(128 + 40 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def bits(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def test_the_hash_survives_size_light_and_compression(image: np.ndarray):
    here = perceptual_hash(image)
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1)
    for changed in (small, jpeg, (image * 0.8).astype(np.uint8)):
        assert bits(perceptual_hash(changed), here) <= 3
    assert bits(perceptual_hash(image[:, ::-1]), here) > 12


def test_rows_that_repeat_an_earlier_one_are_found_by_brute_force_too():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 60).astype(np.uint64)
    points = rng.uniform(0, 100, (60, 68, 2))
    points[:, [36, 45]] = (20, 40), (80, 40)
    for row, (of, flips) in {40: (3, 3), 41: (5, 4), 42: (7, 1), 43: (42, 3)}.items():
        mask = sum(1 << int(bit) for bit in rng.permutation(63)[:flips])
        hashes[row] = hashes[of] ^ np.uint64(mask)
        points[row] = 2 * points[of] + 7  # another crop of the same
    points[42, 48:60, 1] += 30  # another expression
    found = near_duplicates(hashes, points)
    expected = np.zeros(60, bool)
    expected[40] = True
    assert np.array_equal(found, expected)


def test_no_rows():
    assert len(near_duplicates(np.zeros(0, np.uint64), np.zeros((0, 68, 2)))) == 0
