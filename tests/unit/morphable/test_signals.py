import math

import numpy as np
import pytest
import torch

from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX
from xpress.morphable.signals import (
    GAZE_SIGNALS,
    SIGNALS,
    expression_signals,
    eye_signals,
    frontal_signals,
    gaze_signals,
)


def face(**moves):
    """Points of a drawn face, 100 px between the outer eye corners; moves are (points, dx, dy)."""
    p = torch.zeros(1, 68, 2)
    p[0, 36:42] = torch.tensor([[0, 0], [10, -6], [20, -6], [30, 0], [20, 4], [10, 4.0]])
    p[0, 42:48] = torch.tensor([[70, 0], [80, -5], [90, -5], [100, 0], [90, 5], [80, 5.0]])
    p[0, 17:22] = torch.tensor([[-5, -12], [5, -20], [15, -21], [25, -19], [30, -15.0]])
    p[0, 22:27] = torch.tensor([[70, -15], [75, -18], [85, -22], [95, -20], [105, -12.0]])
    p[0, 48], p[0, 54] = torch.tensor([25, 80.0]), torch.tensor([75, 80.0])
    p[0, 51], p[0, 57] = torch.tensor([50, 72.0]), torch.tensor([50, 92.0])
    p[0, 61:64] = torch.tensor([[42, 79], [50, 78], [58, 79.0]])
    p[0, 65:68] = torch.tensor([[58, 82], [50, 84], [42, 82.0]])
    p[0, 33], p[0, 8] = torch.tensor([51, 55.0]), torch.tensor([50, 120.0])
    for points, shift in moves.values():
        p[0, points] += torch.tensor(shift)
    return p


def values(points):
    return dict(zip(SIGNALS, expression_signals(points)[0].tolist(), strict=True))


def test_by_hand():
    expected = {
        "mouth_opening": (3 + 6 + 3) / 3 / 100,
        "mouth_width": 0.5,
        "smile": ((72 + 92) / 2 - 80) / 100,
        "lid_right": 0.10,
        "lid_left": 0.10,
        "brow_right": 0.20,
        "brow_left": 0.20,
        "jaw_drop": 0.65,
        "upper_lip": -((79 + 78 + 79) / 3 - 55) / 100,
        "lower_lip": (120 - (82 + 84 + 82) / 3) / 100,
        "corner_right": -0.25,
        "corner_left": -0.25,
        "stretch_right": 0.26,
        "stretch_left": 0.24,
        "lower_lid_right": -0.04,
        "lower_lid_left": -0.05,
    }
    assert values(face()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("points", "shift", "changes"),
    [
        ([61, 62, 63], [0.0, -10.0], {"mouth_opening": 0.1, "upper_lip": 0.1}),
        ([65, 66, 67], [0.0, 10.0], {"mouth_opening": 0.1, "lower_lip": -0.1}),
        ([54], [20.0, 0.0], {"mouth_width": 0.2, "stretch_left": 0.2}),
        ([48], [-10.0, 0.0], {"mouth_width": 0.1, "stretch_right": 0.1}),
        ([48, 54], [0.0, -5.0], {"smile": 0.05, "corner_right": 0.05, "corner_left": 0.05}),
        ([41, 40], [0.0, -9.0], {"lid_right": -0.09, "lower_lid_right": 0.09}),
        ([43, 44], [0.0, 5.0], {"lid_left": -0.05}),
        ([18, 19, 20], [0.0, 4.0], {"brow_right": -0.04}),
        ([23, 24, 25], [0.0, -7.0], {"brow_left": 0.07}),
        ([8], [0.0, 6.0], {"jaw_drop": 0.06, "lower_lip": 0.06}),
    ],
)
def test_each_follows_its_own_points_only(points, shift, changes):
    before, after = values(face()), values(face(moved=(points, shift)))
    for name in SIGNALS:
        expected = before[name] + changes.get(name, 0)
        assert after[name] == pytest.approx(expected, abs=1e-6)


def eyes(across, up):
    """Contours with eyes 40 px wide, one of them rolled, irises off their middles."""
    row = CONTOUR_MEDIAPIPE_INDEX.tolist().index
    p = torch.zeros(1, 138, 2)
    p[0, row(33)], p[0, row(133)] = torch.tensor([0.0, 0]), torch.tensor([40.0, 0])
    p[0, row(468)] = torch.tensor([20.0 + across, -up])
    p[0, row(362)], p[0, row(263)] = torch.tensor([80.0, 0]), torch.tensor([80.0, 40])
    p[0, row(473)] = torch.tensor([80.0 + up, 20 + across])
    return p


def test_gaze_by_hand():
    found = dict(zip(GAZE_SIGNALS, gaze_signals(eyes(8.0, 4.0))[0].tolist(), strict=True))
    assert found == pytest.approx({"gaze_across": 0.7, "gaze_up": 0.1})
    points = torch.zeros(1, 138, 2, requires_grad=True)
    gaze_signals(points).sum().backward()
    assert points.grad.isfinite().all()


def test_size_place_and_roll_do_not_matter():
    points = face()
    angle = 0.4
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = 3.7 * points @ turn.T + torch.tensor([500.0, -20.0])
    torch.testing.assert_close(expression_signals(moved), expression_signals(points))


def test_gradients_are_finite_where_all_points_coincide():
    points = torch.zeros(1, 68, 2, requires_grad=True)
    expression_signals(points).sum().backward()
    assert points.grad.isfinite().all()


def eye(iris=(0.5, 0.0), gap=0.3) -> np.ndarray:
    """An eye one unit wide whose lids are flat; the iris by its share and height."""
    x = np.linspace(0, 1, 9)
    height = np.where((x > 0) & (x < 1), gap / 2, 0)
    upper, lower = np.column_stack([x, -height]), np.column_stack([x, height])[1:-1][::-1]
    return np.concatenate([upper, lower, [[iris[0], -iris[1]]]])


def test_eyes_by_hand():
    assert eye_signals(eye((0.7, 0.1), 0.24)) == pytest.approx([0.7, 0.1, 0.24])


def test_of_eyes_neither_size_nor_place_nor_roll_counts():
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    moved = 37 * eye((0.3, -0.05)) @ turn.T + (12, -8)
    np.testing.assert_allclose(eye_signals(moved), eye_signals(eye((0.3, -0.05))), atol=1e-9)


def test_of_eyes_torch_says_the_same_and_has_gradients():
    points = torch.tensor(np.stack([eye((0.3, 0.1)), eye((0.6, 0), 0.0)]), requires_grad=True)
    signals = eye_signals(points)
    np.testing.assert_allclose(signals.detach(), eye_signals(points.detach().numpy()), atol=1e-5)
    signals.sum().backward()
    assert points.grad is not None
    assert points.grad.isfinite().all()


def test_frontal_signals_are_those_of_level_faces_seen_from_the_front():
    rng = np.random.default_rng(0)
    points = rng.normal(0, 3, (6, 68, 3))
    points[:, 45, 1] = points[:, 36, 1]  # level eyes
    points[:, 45, 0] = points[:, 36, 0] + 9
    points[:, 54] = points[:, 48] + (5, 0, 1)  # a level mouth
    pixels = points[..., :2] * (10, -10) + 100
    expected = expression_signals(pixels) * 9
    np.testing.assert_allclose(frontal_signals(points), expected, atol=1e-6)
    total = frontal_signals(points[:1] + points[1:2])
    np.testing.assert_allclose(total, frontal_signals(points)[:2].sum(0, keepdims=True))
