"""FLAME's own parameters, put back into FLAME, give the face that they were made of."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from xpress.errors import InputError
from xpress.face_models.flame_parameters import (
    eye_rotations,
    flame_parameters,
    write_flame_parameters,
)
from xpress.morphable.face_model import FaceModel
from xpress.structures import FaceParameters

NAMES = ["expression_0", "expression_1", "jaw_x", "jaw_y", "jaw_z"]
PIVOT = np.array([0.0, -4.0, 2.0])
PLACE = {
    "scale": 1.1,
    "rotation": Rotation.from_rotvec([0.1, 0, 0.05]).as_matrix(),
    "translation": np.array([1.0, 2.0, -3.0]),
}


@pytest.fixture
def flame():
    """The default model with what the registration of a FLAME notes."""
    model = FaceModel.default()
    coefficients = np.zeros((53, 5))
    coefficients[model.expression_names.index("jawOpen")] = [0.5, 0, 0.3, 0, 0]
    coefficients[model.expression_names.index("mouthSmile_L")] = [0, 2, 0, 0, 0]
    info = {
        "expression_names": NAMES,
        "neutral": [0.1, 0, 0, 0, 0],
        "coefficients": coefficients.tolist(),
        "pivot": PIVOT.tolist(),
        **{name: np.asarray(value).tolist() for name, value in PLACE.items()},
    }
    return replace(model, info=info)


@pytest.fixture
def performance(flame):
    made = FaceParameters.resting(flame.sizes, 4)
    rng = np.random.default_rng(0)
    expression = made.expression.copy()
    expression[1, flame.expression_names.index("jawOpen")] = 0.8
    expression[2, flame.expression_names.index("mouthSmile_L")] = 0.5
    return made.replace(
        expression=expression,
        identity=rng.normal(size=made.identity.shape),
        rotation=rng.normal(size=(4, 3)) * 0.3,
        translation=rng.normal(size=(4, 2)) * 50,
        scale=rng.uniform(5, 9, 4),
    )


def test_expressions_and_jaw(flame, performance):
    found = flame_parameters(flame, performance)
    assert found["shape"].shape == (300,)
    np.testing.assert_allclose(found["shape"][:60], performance.identity.mean(0))
    np.testing.assert_allclose(found["expr"][:3], [[0.1, 0], [0.5, 0], [0.1, 1]], atol=1e-6)
    np.testing.assert_allclose(found["jaw_pose"][1], [0.24, 0, 0], atol=1e-6)
    assert not found["neck_pose"].any()


def test_pixels_are_those_of_the_library(flame, performance):
    found = flame_parameters(flame, performance)
    points = np.random.default_rng(1).normal(size=(6, 3)) * 5  # FLAME's, centimetres
    for frame in range(4):
        turn = Rotation.from_rotvec(found["rotation"][frame])
        posed = turn.apply(0.01 * (points - PIVOT)) + 0.01 * PIVOT + found["translation"][frame]
        pixels = found["scale"][frame] * posed[:, :2] * [1, -1]
        placed = PLACE["scale"] * points @ PLACE["rotation"].T + PLACE["translation"]
        turned = Rotation.from_rotvec(performance.rotation[frame]).apply(placed)
        wanted = performance.scale[frame] * turned[:, :2] * [1, -1]
        np.testing.assert_allclose(pixels, wanted + performance.translation[frame], atol=1e-6)


def test_eyes_turn_where_they_look(flame):
    names = flame.expression_names
    expression = np.zeros((2, 53))
    for shape in ("eyeLookOut_L", "eyeLookIn_R"):
        expression[0, names.index(shape)] = 1
    expression[1, names.index("eyeLookDown_L")] = 0.5
    left, right = np.split(eye_rotations(expression, names), 2, axis=1)
    ahead = [0, 0, 1]
    for eye in (left, right):
        looks = Rotation.from_rotvec(eye[0]).apply(ahead)
        assert looks[0] == pytest.approx(np.sin(np.deg2rad(35)))  # the owner's left is +x
    assert Rotation.from_rotvec(left[1]).apply(ahead)[1] < -0.2
    assert not right[1].any()


def test_file_and_other_models(flame, performance, tmp_path):
    write_flame_parameters(tmp_path / "flame.npz", flame, performance, Fraction(25))
    with np.load(tmp_path / "flame.npz", allow_pickle=False) as archive:
        assert archive["fps"] == 25
        assert archive["eyes_pose"].shape == (4, 6)
    with pytest.raises(InputError, match="format=flame: the face model is no FLAME; give morphab"):
        flame_parameters(FaceModel.default(), performance)
