"""Flow against closed forms and an independent solver."""

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

from xpress.animation.warping.backward_flow import (
    LARGEST,
    extend,
    face_grid,
    moving_box,
    vertex_maps,
)
from xpress.animation.warping.raster import Grid


def quad(x0: float, y0: float, x1: float, y1: float) -> tuple[np.ndarray, np.ndarray]:
    """A rectangle that faces the viewer."""
    points = np.array([[x0, y0, 0], [x1, y0, 0], [x1, y1, 0], [x0, y1, 0]], np.float32)
    return points, np.array([[0, 2, 1], [0, 3, 2]], np.int32)


def test_grid_puts_pixel_centres_where_resize_does():
    grid = Grid((10, 20, 50, 100), (160, 80))
    points = np.array([[10, 20, 3], [49, 99, 4]], np.float32)
    cells = grid.to_cells(points)
    # twice as fine: pixel 0 covers cells 0 and 1, its centre is at 0.5
    np.testing.assert_allclose(cells, [[0.5, 0.5, 3], [78.5, 158.5, 4]], atol=1e-4)
    assert grid.zoom == (2.0, 2.0)


def test_maps_return_to_pixels_without_a_shift():
    grid = Grid((0, 0, 60, 40), (20, 30))
    columns = np.arange(60, dtype=np.float32)[None].repeat(40, 0)
    cells = columns[:, 0::2][::2] + 0.5  # value of the map at the centres of its cells
    np.testing.assert_allclose(grid.to_pixels(cells)[:, 2:-2], columns[:, 2:-2], atol=1e-4)


def test_attributes_that_are_linear_in_the_picture_stay_linear():
    points, triangles = quad(3, 4, 33, 24)
    attributes = np.stack([2 * points[:, 0] - points[:, 1], 0.5 * points[:, 1] + 1], axis=1).astype(
        np.float32
    )
    maps, known, _ = vertex_maps(Grid((0, 0, 40, 30), (30, 40)), points, triangles, attributes)
    rows, columns = np.mgrid[:30, :40]
    inside = (columns >= 3) & (columns <= 33) & (rows >= 4) & (rows <= 24)
    assert np.array_equal(known, inside)
    np.testing.assert_allclose(maps[..., 0][inside], (2 * columns - rows)[inside], atol=1e-3)
    np.testing.assert_allclose(maps[..., 1][inside], (0.5 * rows + 1)[inside], atol=1e-3)


def test_a_surface_seen_from_behind_has_no_flow():
    points, triangles = quad(3, 4, 33, 24)
    _, known, _ = vertex_maps(
        Grid((0, 0, 40, 30), (30, 40)), points, triangles[:, ::-1].copy(), points[:, :2].copy()
    )
    assert not known.any()


def laplace(values: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Harmonic continuation by a sparse direct solver."""
    height, width = fixed.shape
    index = np.arange(height * width).reshape(height, width)
    rows, columns, entries = [], [], []
    for r in range(height):
        for c in range(width):
            if fixed[r, c]:
                rows.append(index[r, c])
                columns.append(index[r, c])
                entries.append(1.0)
                continue
            for dr, dc, weight in ((0, 0, 4), (1, 0, -1), (-1, 0, -1), (0, 1, -1), (0, -1, -1)):
                rows.append(index[r, c])
                columns.append(index[r + dr, c + dc])
                entries.append(weight)
    matrix = scipy.sparse.csr_matrix((entries, (rows, columns)))
    right = np.where(fixed, values, 0).ravel()
    return scipy.sparse.linalg.spsolve(matrix, right).reshape(height, width)


def test_the_extension_is_a_membrane_between_the_silhouette_and_the_border():
    size = 96
    rows, columns = np.mgrid[:size, :size]
    known = np.hypot(rows - 44, columns - 50) < 20
    maps = np.zeros((size, size, 2), np.float32)
    maps[known] = (8, -3)
    extend(maps, known)
    fixed = known.copy()
    fixed[[0, -1]] = fixed[:, [0, -1]] = True
    truth = laplace(np.where(known, 8.0, 0.0), fixed)
    np.testing.assert_allclose(maps[..., 0], truth, atol=1.0)
    np.testing.assert_allclose(maps[..., 1], maps[..., 0] * -3 / 8, atol=0.02)
    well_inside = np.hypot(rows - 44, columns - 50) < 15
    np.testing.assert_allclose(maps[..., 0][well_inside], 8, atol=1e-5)
    border = np.concatenate([maps[0], maps[-1], maps[:, 0], maps[:, -1]])
    assert np.abs(border).max() < 1e-5
    # nowhere steeper than sampling bears: no folds, no tears
    assert np.abs(np.diff(maps[..., 0], axis=1)).max() < 0.8


def test_a_hole_is_spanned_from_edge_to_edge():
    known = np.zeros((80, 80), bool)
    known[10:70, 10:70] = True
    known[30:50, 30:50] = False
    maps = np.zeros((80, 80, 1), np.float32)
    maps[:40, :, 0], maps[40:, :, 0] = 5, 1
    maps[~known] = 0
    extend(maps, known)
    hole = maps[30:50, 40, 0]
    assert (np.diff(hole) < 0.3).all()
    assert hole[0] > 3.9
    assert hole[-1] < 2.1


def test_nothing_known_gives_no_flow():
    maps = np.zeros((40, 50, 3), np.float32)
    extend(maps, np.zeros((40, 50), bool))
    assert not maps.any()
    assert moving_box(maps, Grid((0, 0, 50, 40), (40, 50))) == (0, 0, 0, 0)


@pytest.mark.parametrize("zoom", [1, 2, 5])
def test_the_moving_box_holds_all_that_moves_and_little_else(zoom):
    maps = np.zeros((40, 50, 3), np.float32)
    maps[7, 30, 1] = -0.5
    maps[20, 11, 2] = 0.3
    grid = Grid((100, 200, 100 + 50 * zoom, 200 + 40 * zoom), (40, 50))
    x0, y0, x1, y1 = moving_box(maps, grid)
    rows, columns = np.nonzero(np.abs(grid.to_pixels(maps)).max(axis=2) > 1 / 64)
    assert x0 <= columns.min() <= x0 + 2 * zoom
    assert y0 <= rows.min() <= y0 + 2 * zoom
    assert x1 - 2 * zoom - 1 <= columns.max() < x1
    assert y1 - 2 * zoom - 1 <= rows.max() < y1


@pytest.mark.parametrize("shift", [0, 150])
def test_the_raster_keeps_to_the_picture_unless_the_face_does_not(shift):
    points = np.array([[20, 20, 0], [80, 90, 0]], np.float32) - np.array([shift, 0, 0], np.float32)
    x0, y0, x1, y1 = face_grid(points, 100, 100).box
    assert 0 <= y0 < y1 <= 100
    if shift:
        assert x0 == -130
    else:
        assert 0 <= x0 < 20
    assert 80 - shift < x1 <= 100


def test_large_faces_get_a_coarse_raster():
    points = np.array([[0, 0, 0], [1000, 1500, 0]], np.float32)
    grid = face_grid(points, 4000, 4000)
    assert grid.size[0] < 2 * LARGEST
    assert grid.shape[0] > 1500
