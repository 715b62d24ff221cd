import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from xpress.morphable.io.gaze import HORIZONTAL, VERTICAL, eyeball_rotation_offsets

CENTER = np.array([3.0, 3.5, 8.0])
RADIUS = 1.2


def ball():
    points = np.random.default_rng(0).normal(size=(400, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    axes = np.concatenate([np.eye(3), -np.eye(3)])  # the box of the points is the ball's
    return CENTER + RADIUS * np.concatenate([axes, points])


NAMES = [f"eyeLook{way}_{side}" for side in "LR" for way in ("In", "Out", "Up", "Down")]
PUPIL = 2  # the pole at +z


@pytest.mark.parametrize(
    ("name", "side", "way"),
    [
        ("eyeLookOut_L", "left", [1, 0]),
        ("eyeLookIn_L", "left", [-1, 0]),
        ("eyeLookOut_R", "right", [-1, 0]),
        ("eyeLookIn_R", "right", [1, 0]),
        ("eyeLookUp_L", "left", [0, 1]),
        ("eyeLookDown_R", "right", [0, -1]),
    ],
)
def test_pupil_goes_where_the_rotation_takes_it(name, side, way):
    offsets = eyeball_rotation_offsets(ball(), NAMES, side)
    angle = HORIZONTAL if way[0] else VERTICAL
    expected = RADIUS * np.sin(angle) * np.array(way)
    np.testing.assert_allclose(offsets[NAMES.index(name), PUPIL, :2], expected, atol=1e-6)


def test_the_other_eye_and_other_shapes_stay():
    offsets = eyeball_rotation_offsets(ball(), [*NAMES, "jawOpen"], "left")
    assert not offsets[4:].any()
    assert all(offset.any() for offset in offsets[:4])


def test_small_turns_are_rotations():
    points, share = ball(), 0.05
    offsets = eyeball_rotation_offsets(points, NAMES, "left")[NAMES.index("eyeLookOut_L")]
    turned = Rotation.from_rotvec([0, share * np.sin(HORIZONTAL), 0]).apply(points - CENTER)
    np.testing.assert_allclose(points + share * offsets, turned + CENTER, atol=RADIUS * 1e-3)


def test_growth_is_as_documented():
    points = ball()
    for name, angle in (("eyeLookOut_L", HORIZONTAL), ("eyeLookUp_L", VERTICAL)):
        offsets = eyeball_rotation_offsets(points, NAMES, "left")[NAMES.index(name)]
        radius = np.linalg.norm(points + offsets - CENTER, axis=1) / RADIUS
        assert radius.max() == pytest.approx(np.hypot(1, np.sin(angle)), abs=1e-3)
