"""What each cell around an opening sees, on a sheet where that is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xpress.animation.openings.anatomy import OTHER, SKIN
from xpress.animation.openings.close_up import FINEST, CloseUp, paint_interior

LEFT, TOP, RIGHT, BOTTOM = 48, 48, 92, 72
MARGINS = (0.2, 0.3, 0.4)


@pytest.fixture
def close_up(sheet) -> CloseUp:
    found = CloseUp(sheet.surroundings, MARGINS, 120)
    found.place(sheet.vertices)
    return found


def pixels(close_up: CloseUp) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (x, y) at the middle of each cell."""
    zoom_x, shift_x, zoom_y, shift_y = close_up.grid.affine
    rows, columns = np.indices(close_up.grid.size)
    return (columns - shift_x) / zoom_x, (rows - shift_y) / zoom_y


def inside(x: np.ndarray, y: np.ndarray, by: float) -> np.ndarray:
    """Cells in the hole, by so many pixels at least."""
    return (x > LEFT + by) & (x < RIGHT - by) & (y > TOP + by) & (y < BOTTOM - by)


def test_the_raster_leaves_its_margins_around_the_rim(close_up):
    width = np.hypot(RIGHT - LEFT, BOTTOM - TOP)
    x0, y0, x1, y1 = close_up.grid.box
    beside, above, below = (margin * width for margin in MARGINS)
    assert abs(x0 - (LEFT - beside)) <= 1
    assert abs(x1 - (RIGHT + beside)) <= 1
    assert abs(y0 - (TOP - above)) <= 1
    assert abs(y1 - (BOTTOM + below)) <= 1
    assert max(close_up.grid.size) == pytest.approx(120, abs=2 * close_up.grid.zoom[0] + 1)


@pytest.mark.parametrize(("cells", "zoom"), [(10, 1.0), (10_000, FINEST)])
def test_cells_are_no_coarser_than_pixels_and_not_too_fine(sheet, cells, zoom):
    close_up = CloseUp(sheet.surroundings, MARGINS, cells)
    close_up.place(sheet.vertices)
    assert close_up.grid.zoom == pytest.approx((zoom, zoom), rel=0.02)


def test_skin_around_and_the_interior_inside_the_rim_only(close_up, sheet):
    found = close_up.draw(sheet.vertices)
    x, y = pixels(close_up)
    assert (found.part[inside(x, y, 1)] == 0).all()
    assert (found.part[~inside(x, y, -1)] == SKIN).all()
    # barycentrics lead back to where the cell is
    corners = sheet.vertices[close_up.vertices[close_up.triangles[found.face_index]]]
    points = (corners * found.barycentrics[..., None]).sum(2)
    np.testing.assert_allclose(points[..., 0], x, atol=0.02)
    np.testing.assert_allclose(points[..., 1], y, atol=0.02)


def test_a_shut_rim_shows_no_interior(close_up, sheet):
    areas = [(close_up.draw(sheet.with_top(top)).part >= 0).sum() for top in (48, 56, 64, 72)]
    assert np.all(np.diff(areas) < 0)
    assert areas[-1] <= 0.03 * areas[0]


def test_untrusted_skin_and_nothing_are_one(close_up, sheet):
    around = sheet.surroundings
    part = np.where(around.part == SKIN, OTHER, around.part).astype(np.int32)
    untrusted = CloseUp(replace(around, part=part), MARGINS, 120)
    untrusted.place(sheet.vertices)
    found = untrusted.draw(sheet.vertices).part
    expected = close_up.draw(sheet.vertices).part
    assert np.array_equal(found == OTHER, expected == SKIN)


def test_trusted_pixels_are_taken_and_others_painted_darker_at_the_edge():
    part = np.array([[0, 0, 0, SKIN]], np.int32)
    triangles, face = np.array([[0, 1, 2]], np.int32), np.zeros((1, 4), np.int32)
    barycentrics = np.zeros((1, 4, 3), np.float32)
    barycentrics[..., 0] = 1
    colors = np.array([[100, 120, 140]] * 3, np.float32)
    source = np.array([[1, 1]] * 3, np.float32)
    layer = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    distance = np.array([[0, 2, 8, 0]], np.float32)

    def painted(trust: float) -> np.ndarray:
        trusted = np.full((1, 3, 3), trust, np.float32)
        out = np.full((1, 4, 3), -1, np.float32)
        tables = face, barycentrics, part, triangles, colors, source
        paint_interior(*tables, layer, trusted, distance, 0.5, 2.0, out)
        return out[0]

    model = colors[0] * (1 - 0.5 * np.exp(-distance[0, :3, None] / 2))
    np.testing.assert_allclose(painted(0.0)[:3], model, rtol=1e-5)
    np.testing.assert_allclose(painted(1.0)[:3], np.tile(layer[1, 1], (3, 1)), rtol=1e-5)
    np.testing.assert_allclose(painted(0.25)[:3], model + (layer[1, 1] - model) / 4, rtol=1e-5)
    assert (painted(1.0)[3] == -1).all()
