from __future__ import annotations

import numpy as np
import pytest
import torch
from xpress.data_modules.synthetic.parameters import (
    ExpressionSampler,
    lamp,
    random_light,
    random_rotation,
)

from xpress.rendering.camera import rotation_matrix
from xpress.rendering.lighting import shade

NAMES = [
    *(f"{g}_{s}" for g in ("eyeBlink", "eyeWide", "eyeLookIn", "eyeLookOut") for s in "LR"),
    *(f"{g}_{s}" for g in ("eyeLookUp", "eyeLookDown", "browDown", "mouthSmile") for s in "LR"),
    *("jawOpen", "mouthClose", "mouthPucker"),
]


@pytest.fixture(scope="module")
def drawn() -> dict[str, np.ndarray]:
    rng, sample = np.random.default_rng(0), ExpressionSampler(NAMES)
    return dict(zip(NAMES, np.stack([sample(rng) for _ in range(3000)]).T, strict=True))


def test_activations_stay_in_range_and_are_used(drawn):
    for name, values in drawn.items():
        assert values.min() >= 0
        assert values.max() <= 1
        assert values.max() > 0.6, name


def test_blinks_winks_and_open_mouths_are_there(drawn):
    left, right = drawn["eyeBlink_L"], drawn["eyeBlink_R"]
    shut = (left > 0.8) & (right > 0.8)
    wink = np.abs(left - right) > 0.5
    assert 0.08 < shut.mean() < 0.5
    assert 0.02 < wink.mean() < 0.2
    assert (drawn["jawOpen"] > 0.5).mean() > 0.05
    assert np.mean(sum(drawn.values()) == 0) > 0.03  # neutral faces


def test_both_eyes_look_one_way(drawn):
    across_left = drawn["eyeLookOut_L"] - drawn["eyeLookIn_L"]
    across_right = drawn["eyeLookIn_R"] - drawn["eyeLookOut_R"]
    assert np.allclose(across_left, across_right)
    assert np.allclose(drawn["eyeLookUp_L"], drawn["eyeLookUp_R"])
    assert (drawn["eyeLookUp_L"] * drawn["eyeLookDown_L"] == 0).all()


def test_lips_press_shut_no_further_than_the_jaw_is_open(drawn):
    assert (drawn["mouthClose"] <= drawn["jawOpen"]).all()


def test_fitted_expressions_are_drawn_from():
    fitted = np.zeros((1, len(NAMES)), np.float32)
    fitted[0, NAMES.index("browDown_L")] = 0.5
    rng, sample = np.random.default_rng(0), ExpressionSampler(NAMES, fitted)
    values = np.stack([sample(rng) for _ in range(900)])
    brow, others = values[:, NAMES.index("browDown_L")], np.delete(values, 12, axis=1)
    taken = (brow > 0.39) & (brow < 0.66) & (others[:, 12:].sum(1) == 0)
    assert 0.2 < taken.mean() < 0.45


def test_rotations_stay_in_range():
    rng = np.random.default_rng(0)
    rotation = torch.from_numpy(np.stack([random_rotation(rng) for _ in range(4000)]))
    forward = rotation_matrix(rotation)[:, :, 2].numpy()  # where the face looks
    yaw = np.rad2deg(np.arctan2(forward[:, 0], forward[:, 2]))
    assert np.abs(yaw).max() > 50
    # roll mixes a little of pitch into yaw
    assert np.quantile(np.abs(yaw), 0.99) < 65
    assert abs(yaw.mean()) < 2
    pitch = np.rad2deg(np.arcsin(forward[:, 1]))
    assert 25 < np.abs(pitch).max() < 45


def test_a_lamp_lights_as_its_clamped_cosine():
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(500, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    for direction in normals[:5]:
        light = torch.from_numpy(np.repeat(lamp(direction)[:, None], 3, 1))[None]
        shading = shade(torch.from_numpy(normals)[None], light)[0, :, 0].numpy()
        cosine = np.clip(normals @ direction, 0, None)
        # Second order is off by at most 0.1 (1/4 + 1/2 + 5/16 at the lamp: 1.0625)
        assert np.abs(shading - cosine).max() < 0.1
        assert np.sqrt(np.mean((shading - cosine) ** 2)) < 0.04


def test_light_falls_on_the_whole_face():
    rng = np.random.default_rng(0)
    light = torch.from_numpy(np.stack([random_light(rng) for _ in range(300)]))
    front = torch.tensor([[[0.0, 0.0, 1.0]]]).expand(300, -1, -1)
    level = shade(front, light).squeeze(1)
    assert level.min() > 0.1
    assert 0.6 < float(level.mean()) < 2
    assert ((level.amax(1) / level.amin(1)) < 1.8).all()
