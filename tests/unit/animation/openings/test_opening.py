"""Skin that moves over an interior, on a sheet where its way is known."""

from __future__ import annotations

import numpy as np
import pytest

from xpress.animation.openings.close_up import CloseUp
from xpress.animation.openings.opening import Interior, Opening, color_share, tinted
from xpress.animation.warping.raster import Grid

LEFT, TOP, RIGHT, BOTTOM = 48, 48, 92, 72
SHAPE = (120, 140)
INSIDE = 250.0


class PlainOpening(Opening):
    """Its interior is of one colour."""

    def _prepare(self, own, projected, light) -> None:
        self.skin = own

    def interior(self, fragments, projected) -> Interior | None:
        alpha = (fragments.part >= 0).astype(np.float32)
        return Interior(np.full((*alpha.shape, 3), INSIDE, np.float32), alpha)


def slope() -> np.ndarray:
    """A picture whose colour grows with x."""
    ramp = np.arange(SHAPE[1], dtype=np.uint8)
    return np.repeat(np.tile(ramp, (SHAPE[0], 1))[..., None], 3, axis=2)


def painted(sheet, image, vertices, change: float = 0.0) -> np.ndarray:
    """The whole picture's patch, not-a-number outside the box."""
    close_up = CloseUp(sheet.surroundings, (0.4, 0.5, 0.5), 300)
    opening = PlainOpening(close_up)
    opening.set_target(image, sheet.vertices, np.ones(3, np.float32))
    over = Grid((0, 0, SHAPE[1], SHAPE[0]), SHAPE)
    flow = np.zeros((*SHAPE, 3), np.float32)
    flow[..., 2] = change
    color, fade = opening.paint(vertices, flow, over, image)
    whole = np.full((*SHAPE, 3), np.nan)
    x0, y0, x1, y1 = opening.grid.box
    whole[y0:y1, x0:x1] = color
    assert fade.shape == (y1 - y0, x1 - x0)
    return whole


def test_an_unmoved_face_is_the_picture_with_its_interior(sheet):
    image = slope()
    found = painted(sheet, image, sheet.vertices)
    assert np.nanmax(np.abs(found[40:45, 50:90] - image[40:45, 50:90])) < 1.5
    np.testing.assert_allclose(found[52:68, 52:88], INSIDE, atol=1)


def test_skin_goes_where_its_vertices_go(sheet):
    image, moved = slope(), sheet.vertices.copy()
    moved[:, 0] += 3
    found = painted(sheet, image, moved)
    expected = image[40:45, 55:90].astype(float) - 3
    assert np.abs(found[40:45, 55:90] - expected).max() < 1.5


def test_the_shading_changes_the_skin_and_not_the_interior(sheet):
    image = np.full((*SHAPE, 3), 100, np.uint8)
    found = painted(sheet, image, sheet.vertices, change=0.2)
    np.testing.assert_allclose(found[40:44, 50:90], 120, atol=1)
    np.testing.assert_allclose(found[54:66, 54:86], INSIDE, atol=1)


def test_a_patch_fades_at_its_border(sheet):
    close_up = CloseUp(sheet.surroundings, (0.4, 0.5, 0.5), 100)
    opening = PlainOpening(close_up)
    opening.set_target(slope(), sheet.vertices, np.ones(3, np.float32))
    fade = opening._fade
    assert fade.shape == opening.grid.shape
    assert fade[0].max() < 0.3
    assert fade[len(fade) // 2, fade.shape[1] // 2] == 1
    assert np.all(np.diff(fade[len(fade) // 2, : fade.shape[1] // 2]) >= 0)


def test_the_edge_is_soft_on_the_skins_side_only(sheet):
    close_up = CloseUp(sheet.surroundings, (0.4, 0.5, 0.5), 100)
    opening = PlainOpening(close_up)
    opening.set_target(slope(), sheet.vertices, np.ones(3, np.float32))
    alpha = np.zeros((40, 60), np.float32)
    alpha[10:30, 15:45] = 1
    soft = opening.feather(alpha)
    assert soft[11:29, 16:44].min() > 0.99
    assert soft[10:30, 15:45].min() > 0.9  # less in the corners
    assert 0.05 < soft[9, 30] < 0.95
    assert soft[3, 30] < 0.01
    assert (opening.feather(np.zeros_like(alpha)) == 0).all()


def test_a_grey_picture_gets_grey_colors():
    grey = np.full((8, 8, 3), 90, np.uint8)
    assert color_share(grey) == 0
    assert color_share(grey + np.array([40, 0, 0], np.uint8)) == 1
    assert 0 < color_share(grey + np.array([6, 0, 0], np.uint8)) < 1
    red = np.array([[200, 20, 20]], np.float32)
    assert tinted(red, 1.0) is red
    assert np.ptp(tinted(red, 0.0)) == pytest.approx(0, abs=1e-3)
    np.testing.assert_allclose(tinted(red, 0.5), (red + tinted(red, 0.0)) / 2, rtol=1e-5)
