import numpy as np
import pytest

from xpress.media.eye_crop import (
    CENTER,
    EYE_WIDTH,
    HEIGHT,
    LID_REACH,
    WIDTH,
    eye_matrix,
    iris_map,
    lid_flow,
    lid_map,
    painted_region,
    transform,
)


def lids(gap: float, middle: float = 25.0) -> np.ndarray:
    """A parabola above and one below a straight line between the corners, in pixels of a crop."""
    x = np.linspace(16, 48, 9)
    bow = gap / 2 * (1 - ((x - 32) / 16) ** 2)
    upper = np.column_stack([x, middle - bow])
    lower = np.column_stack([x, middle + bow])[::-1]
    return np.concatenate([upper, lower[1:-1]])


@pytest.mark.parametrize("left", [False, True])
def test_the_outer_corner_lies_on_the_left_and_the_brow_above(left):
    outer, inner = np.array([70.0, 40.0]), np.array([90.0, 44.0])
    if left:
        outer, inner = inner, outer
    above = (outer + inner) / 2 + np.array([2.0, -10.0])  # at right angles to the corners' line
    matrix = eye_matrix(outer, inner, left)
    x0, x1 = CENTER[0] - EYE_WIDTH / 2, CENTER[0] + EYE_WIDTH / 2
    np.testing.assert_allclose(transform(matrix, outer), (x0, CENTER[1]), atol=1e-9)
    np.testing.assert_allclose(transform(matrix, inner), (x1, CENTER[1]), atol=1e-9)
    assert transform(matrix, above)[0] == pytest.approx(CENTER[0])
    assert transform(matrix, above)[1] < CENTER[1]


def test_zoom_shift_and_roll_are_about_the_middle():
    outer, inner = np.array([10.0, 20.0]), np.array([42.0, 20.0])
    shift = np.array([0.1, -0.2])
    matrix = eye_matrix(outer, inner, False, zoom=0.5, shift=shift, roll=np.pi / 2)
    middle = transform(matrix, (outer + inner) / 2)
    np.testing.assert_allclose(middle, np.array(CENTER) + shift * EYE_WIDTH)
    assert np.linalg.norm(transform(matrix, inner) - middle) == pytest.approx(EYE_WIDTH / 4)


def test_the_map_of_lids_is_the_distance_to_the_nearer_one():
    inside = lid_map(lids(gap=8.0)) * LID_REACH
    assert inside.shape == (HEIGHT, WIDTH)
    np.testing.assert_allclose(inside[[21, 23, 25, 29, 31], 32], [0, 2, 4, 0, -2], atol=1e-5)
    assert (inside[:, :15] < 0).all()
    assert (inside[:, 50:] < 0).all()


def test_shut_lids_leave_a_ridge_where_they_meet():
    shut = lid_map(lids(gap=0.0, middle=27.0))
    assert (shut <= 0).all()
    assert (shut[:, 20:44].argmax(0) == 27).all()


def test_the_map_of_lids_follows_by_less_than_a_pixel():
    lower = lids(gap=6.0) + np.array([0, 0.25])
    change = (lid_map(lower) - lid_map(lids(gap=6.0))) * LID_REACH
    assert change[27, 32] == pytest.approx(0.25, abs=1e-5)
    assert change[23, 32] == pytest.approx(-0.25, abs=1e-5)


def test_the_map_of_the_iris_is_zero_on_its_rim():
    found = iris_map(np.array([30.0, 24.0]), 6.0)
    np.testing.assert_allclose(found[24, [24, 36]], 0, atol=1e-6)
    assert found[24, 30] == found.max() > 0
    assert found[24, 44] < 0


def test_the_region_fades_inside_the_crop():
    region = painted_region()
    border = np.concatenate([region[[0, -1]].ravel(), region[:, [0, -1]].ravel()])
    assert (border == 0).all()
    assert (region[16:32, 18:46] == 1).all()
    assert (np.abs(np.diff(region, axis=0)) < 0.5).all()


def test_the_same_eye_does_not_flow():
    open_ = lids(gap=10.0)
    assert not lid_flow(open_, open_, np.zeros(2)).any()


def test_a_closing_lid_brings_its_skin_along():
    open_, shut = lids(gap=10.0), lids(gap=0.0, middle=28.0)
    flow = lid_flow(open_, shut, np.zeros(2))
    assert not flow[..., 0].any()
    # Just above the shut rim, skin from just above the open one; far above and below none moves.
    assert 26 + flow[26, 32, 1] == pytest.approx(19, abs=1)
    assert not flow[:8, :, 1].any()
    assert not flow[40:, :, 1].any()
    rows = np.arange(48) + flow[:, 32, 1]
    assert (np.diff(rows[:28]) >= 0).all()  # nothing is folded


def test_the_eyeball_follows_the_iris_between_the_lids():
    open_ = lids(gap=14.0)
    flow = lid_flow(open_, open_, np.array([3.0, -1.0]))
    np.testing.assert_allclose(flow[25, 32], (-3, 1))
    assert not flow[10].any()


def test_lids_that_cross_are_shut():
    crossed = lids(gap=-6.0)
    flow = lid_flow(lids(gap=10.0), crossed, np.array([9.0, 0.0]))
    assert (np.abs(flow[..., 0]) <= 4.5).all()  # no eyeball, but half a one where lids meet
    assert np.isfinite(flow).all()
