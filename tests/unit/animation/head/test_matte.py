"""Cutting persons out of pictures that are put together of known parts."""

import cv2
import numpy as np
import pytest

from xpress.animation.head.matte import person_matte

SIZE, UNIT = 200, 8.0


def scene(hair, wall, seed=0):
    """A face with hair before a wall, what is seeded, and where the person is."""
    noise = np.random.default_rng(seed).normal(0, 4, (SIZE, SIZE, 3))
    person = cv2.ellipse(np.zeros((SIZE, SIZE), np.uint8), (100, 105), (62, 85), 0, 0, 360, 1, -1)
    skin = cv2.ellipse(np.zeros((SIZE, SIZE), np.uint8), (100, 115), (45, 60), 0, 0, 360, 1, -1)
    image = np.where(person[..., None] > 0, hair, wall)
    image = np.where(skin[..., None] > 0, (210, 160, 130), image) + noise
    rows, columns = np.indices((25, 25))
    outside = (np.hypot((columns - 12) / 6.5, (rows - 14) / 9) - 1) * 7.4
    seeds = np.where(outside < 5.5, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    seeds[outside < -1.5] = cv2.GC_FGD
    return image.clip(0, 255).astype(np.uint8), seeds, outside.astype(np.float32), person > 0


@pytest.mark.parametrize("hair", [(40, 30, 25), (190, 160, 90)])
@pytest.mark.parametrize("wall", [(120, 120, 130), (230, 230, 230), (60, 110, 200)])
def test_hair_is_told_from_the_wall(hair, wall):
    image, seeds, outside, person = scene(hair, wall)
    alpha = person_matte(image, seeds, outside, UNIT, SIZE)
    shown = alpha > 127
    union = (shown | person).sum()
    assert (shown & person).sum() / union > 0.85
    assert (alpha[person] < 64).mean() < 0.02, "hair that stays behind would be seen twice"


def test_the_same_picture_gives_the_same_matte():
    image, seeds, outside, _ = scene((40, 30, 25), (120, 120, 130))
    first = person_matte(image, seeds, outside, UNIT, SIZE)
    cv2.setRNGSeed(12345)
    np.testing.assert_array_equal(first, person_matte(image, seeds, outside, UNIT, SIZE))


def test_below_the_shoulders_all_is_the_person():
    image, seeds, outside, _ = scene((40, 30, 25), (120, 120, 130))
    alpha = person_matte(image, seeds, outside, UNIT, 150)
    assert (alpha[160:] == 255).all()


def test_without_a_seed_of_the_background_all_is_the_person():
    image, seeds, outside, _ = scene((40, 30, 25), (120, 120, 130))
    seeds[seeds == cv2.GC_BGD] = cv2.GC_PR_FGD
    assert (person_matte(image, seeds, outside, UNIT, SIZE) == 255).all()
