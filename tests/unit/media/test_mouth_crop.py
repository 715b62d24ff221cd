from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from xpress.batches import MouthBatch
from xpress.media.mouth_crop import (
    hole_mask,
    mouth_crop,
    reference_layers,
    row_alignment,
    shown_teeth,
    teeth_masks,
)

SQUARE = np.array([[20.0, 30.0], [60.0, 30.0], [60.0, 70.0], [20.0, 70.0]])


def ellipse(a: float, b: float, x: float = 48.3, y: float = 47.6, points: int = 200) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack([x + a * np.cos(angle), y + b * np.sin(angle)], axis=1)


def test_the_hole_of_a_square_is_its_pixels():
    expected = np.zeros((96, 96), np.uint8)
    expected[30:71, 20:61] = 1
    assert np.array_equal(hole_mask(SQUARE, 96), expected)


@pytest.mark.parametrize(("a", "b"), [(30.0, 12.0), (25.5, 4.0), (8.0, 8.0)])
def test_the_hole_of_an_ellipse_follows_its_equation(a: float, b: float):
    y, x = np.mgrid[:96, :96]

    def inside(margin: float) -> np.ndarray:
        return ((x - 48.3) / (a + margin)) ** 2 + ((y - 47.6) / (b + margin)) ** 2 <= 1

    hole = hole_mask(ellipse(a, b), 96).astype(bool)
    assert hole[inside(-0.5)].all()
    assert not hole[~inside(1.0)].any()
    # OpenCV's polygons contain the pixels that their border touches: half a pixel more
    perimeter = np.pi * (3 * (a + b) - np.sqrt((3 * a + b) * (a + 3 * b)))
    assert hole.sum() == pytest.approx(np.pi * a * b + 0.5 * perimeter, rel=0.04)


def margins(hole: np.ndarray) -> list[int]:
    """Pixels by which each side lies beyond the square's."""
    rows, columns = np.nonzero(hole.any(1))[0], np.nonzero(hole.any(0))[0]
    return [20 - columns[0], 30 - rows[0], columns[-1] - 60, rows[-1] - 70]


@pytest.mark.parametrize("growth", [0.5, 1.0, 2.5, 4.0])
def test_a_hole_grows_by_pixels(growth: float):
    hole = hole_mask(SQUARE, 96, growth)
    np.testing.assert_allclose(margins(hole), growth, atol=0.5)
    # Steiner's formula for what lies within some distance of a convex shape
    assert hole.sum() == pytest.approx(41.0**2 + 4 * 41 * growth + np.pi * growth**2, rel=0.06)


@pytest.mark.parametrize("growth", [-0.5, -1.0, -2.5, -4.0])
def test_a_hole_shrinks_by_pixels(growth: float):
    hole = hole_mask(SQUARE, 96, growth)
    # the line that is cut away has its outermost pixels on both sides
    assert all(growth - 1.5 <= margin <= growth for margin in margins(hole))
    assert hole.sum() == np.prod(np.array([41, 41]) + 2 * margins(hole)[0])


def test_less_than_half_a_pixel_of_growth_is_none():
    assert np.array_equal(hole_mask(SQUARE, 96, 0.2), hole_mask(SQUARE, 96))


def test_points_beyond_the_crop_are_cut_off():
    assert hole_mask(SQUARE * 10 - 300, 96).all()
    assert not hole_mask(SQUARE + 500, 96).any()


def test_the_canonical_crop_is_centred_and_as_wide_as_it_says():
    lips = np.array([[100.0, 50.0], [130.0, 40.0], [160.0, 50.0], [130.0, 64.0]])
    crop = mouth_crop(lips, ratio=1.5, size=96)
    expected = (lips - [130.0, 52.0]) * 96 / (1.5 * 60) + 95 / 2
    np.testing.assert_allclose(crop.to_crop(lips), expected, atol=1e-9)
    twice = mouth_crop(lips * 2 + 7, ratio=1.5, size=96)
    np.testing.assert_allclose(twice.to_crop(lips * 2 + 7), expected, atol=1e-9)


def test_a_slanted_mouth_is_as_wide_as_its_corners_are_apart():
    lips = np.array([[0.0, 0.0], [15.0, 25.0], [30.0, 40.0]])
    assert mouth_crop(lips, ratio=2.0).side == pytest.approx(2 * 50)
    point = np.zeros((5, 2))
    assert np.isfinite(mouth_crop(point).matrix).all()


def test_the_hole_is_white_and_nothing_else():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 200, (96, 96, 3), np.uint8)
    hole = hole_mask(SQUARE, 96)
    filled = image.copy()
    filled[hole > 0] = 255
    picture = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    mask = torch.from_numpy(hole)[None, None].float()
    box, row = torch.zeros(1, 4), torch.zeros(1, dtype=torch.long)
    batch = MouthBatch(
        picture, mask, mask, box, mask.repeat(1, 2, 1, 1), mask.repeat(1, 8, 1, 1), row
    )
    expected = torch.from_numpy(filled).permute(2, 0, 1)[None] / 255
    assert torch.equal(batch.filled, expected)
    torch.testing.assert_close(batch.composite(expected), expected)
    torch.testing.assert_close(batch.composite(picture), picture)


def rows_of_teeth(shift=(0.0, 0.0), zoom: float = 1.0, angle: float = 0.0) -> np.ndarray:
    """An upper row from 30 to 40 and a lower one from 50 to 60, 20 to 70 across; moved."""
    x = np.linspace(20, 70, 6)
    rows = np.array([[(40, 30), (50, 60)][n] for n in range(2)], float)
    points = np.stack(np.broadcast_arrays(x, rows[..., None]), axis=-1)
    c, s = zoom * np.cos(angle), zoom * np.sin(angle)
    return points @ np.array([[c, s], [-s, c]]) + shift


def test_rows_of_teeth_are_filled_from_edge_to_gums():
    masks = teeth_masks(rows_of_teeth(), 96)
    for mask, (top, bottom) in zip(masks, ((30, 40), (50, 60)), strict=True):
        expected = np.zeros((96, 96), bool)
        expected[top : bottom + 1, 20:71] = True
        assert mask[top + 1 : bottom, 21:70].min() == 255
        assert mask[~cv2.dilate(expected.astype(np.uint8), np.ones((3, 3))).astype(bool)].max() == 0
    moved = teeth_masks(rows_of_teeth((0.5, 0.5)), 96).astype(int)
    assert ((moved > 20) & (moved < 235)).sum() > 50  # a soft edge
    assert not teeth_masks(np.full((2, 2, 6, 2), np.nan), 96).any()
    assert teeth_masks(rows_of_teeth(zoom=1e7), 96).shape == (2, 96, 96)


def test_a_row_is_laid_on_the_row_by_the_similarity_between_them():
    before = rows_of_teeth()
    after = rows_of_teeth((12.0, -7.0), 1.3, 0.2)
    matrix = row_alignment(before[0], after[0])
    found = before[0] @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(found, after[0], atol=1e-9)
    expected = cv2.estimateAffinePartial2D(
        before[0].reshape(-1, 2), after[0].reshape(-1, 2), method=cv2.LMEDS
    )[0]
    np.testing.assert_allclose(matrix, expected, atol=1e-6)
    assert row_alignment(before[0], rows_of_teeth(angle=3.0)[0]) is None  # upside down
    assert row_alignment(before[0], np.full_like(before[0], np.nan)) is None


def test_each_layer_of_the_reference_follows_its_own_row():
    rng = np.random.default_rng(0)
    picture = np.zeros((96, 96, 4), np.uint8)
    picture[30:61, 20:71] = [*rng.integers(50, 200, 3), 255]
    before, after = rows_of_teeth(), rows_of_teeth()
    after[0] += (3, 0)
    after[1] += (0, 15)
    upper, lower = reference_layers(picture, before, after, 96)
    assert np.array_equal(upper[:, 3:], picture[:, :-3])
    assert np.array_equal(lower[15:], picture[:-15])
    nothing = reference_layers(picture, np.full_like(before, np.nan), after, 96)
    assert not nothing.any()


def test_teeth_are_what_is_pale_and_bright_between_the_lips():
    picture = np.full((96, 96, 3), (200, 150, 130), np.uint8)
    inside = np.zeros((96, 96), np.uint8)
    inside[40:60, 20:76] = 1
    colors = {"teeth": (215, 205, 190), "tongue": (190, 110, 110), "dark": (30, 15, 15)}
    shown = {}
    for name, color in colors.items():
        picture[50:60, 20:76] = (30, 15, 15)
        picture[40:50, 20:76] = color
        shown[name] = shown_teeth(picture, inside, 64.0)
    assert shown["teeth"] == pytest.approx(10 * 56 / 64**2)
    assert shown["tongue"] == shown["dark"] == 0
    assert shown_teeth(picture, np.zeros_like(inside), 64.0) == 0
    assert shown_teeth(picture, np.ones_like(inside), 64.0) == 0
