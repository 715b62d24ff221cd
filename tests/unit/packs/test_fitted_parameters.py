from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from xpress.errors import InputError
from xpress.media.crop import Crop
from xpress.packs.fitted_parameters import ParameterTable, load_expressions, load_fits, move_pose
from xpress.rendering.camera import project, rotation_matrix


@pytest.mark.parametrize("size", [0.0, 1e-9, 0.4, 2.0, 3.1])
def test_a_moved_pose_projects_to_moved_points(size):
    rng = np.random.default_rng(3)
    rotation = rng.normal(0, 1, (6, 3))
    rotation *= size / np.linalg.norm(rotation, axis=1, keepdims=True)
    translation, scale = rng.uniform(30, 90, (6, 2)), rng.uniform(2, 9, 6)
    crops = [
        Crop((float(x), float(y)), float(side), 128, float(angle))
        for x, y, side, angle in zip(
            *rng.uniform(20, 99, (2, 6)),
            rng.uniform(50, 200, 6),
            rng.uniform(-3, 3, 6),
            strict=True,
        )
    ]
    points = torch.from_numpy(rng.normal(0, 5, (6, 10, 3)))
    before = project(points, *map(torch.from_numpy, (rotation, translation, scale))).numpy()
    moved = move_pose(rotation, translation, scale, np.stack([crop.matrix for crop in crops]))
    after = project(points, *map(torch.from_numpy, moved)).numpy()
    for i, crop in enumerate(crops):
        assert np.allclose(after[i, :, :2], crop.to_crop(before[i, :, :2]), atol=1e-8)
        assert np.allclose(after[i, :, 2], before[i, :, 2] * crop.zoom)
    assert np.linalg.norm(moved[0], axis=1).max() <= np.pi + 1e-12


def write_fits(path, keys, flipped=True, **changes):
    count, rng = len(keys), np.random.default_rng(0)
    arrays = {}
    for suffix in ("", "_flipped") if flipped else ("",):
        arrays |= {
            "identity" + suffix: rng.normal(size=(count, 7)),
            "expression" + suffix: rng.random((count, 53)),
            "rotation" + suffix: rng.normal(size=(count, 3)),
            "translation" + suffix: rng.normal(size=(count, 2)),
            "scale" + suffix: rng.random(count) + 1,
            "ok" + suffix: np.ones(count, bool),
        }
    arrays = {k: v.astype(np.float32) if v.dtype == float else v for k, v in arrays.items()}
    arrays |= changes
    save_file(arrays, path, metadata={"keys": json.dumps(keys)})
    return arrays


def test_fits_are_found_by_key(tmp_path):
    path = tmp_path / "fits.safetensors"
    arrays = write_fits(path, ["a/x", "a/y", "a/z"], ok=np.array([True, False, True]))
    table, flipped = load_fits(path, ["a/z", "a/unknown", "a/y", "a/x"])
    assert table.valid.tolist() == [True, False, False, True]
    assert flipped.valid.tolist() == [True, False, True, True]
    assert np.array_equal(table.scale[[0, 3]], arrays["scale"][[2, 0]])
    assert np.array_equal(flipped.identity[2], arrays["identity_flipped"][1])
    assert (table.expression[1:3] == 0).all()


def test_the_source_name_may_be_left_out_and_a_key_stand_twice(tmp_path):
    path = tmp_path / "fits.safetensors"
    arrays = write_fits(path, ["x/1", "x/1", "x/2"], flipped=False)
    table, flipped = load_fits(path, ["pack/x/1", "pack/x/1", "pack/x/2"])
    assert flipped is None
    assert np.array_equal(table.scale, arrays["scale"])


def test_numbers_that_are_not_finite_are_not_targets(tmp_path):
    path = tmp_path / "fits.safetensors"
    write_fits(path, ["a", "b"], scale=np.array([np.nan, 2.0], np.float32))
    assert load_fits(path, ["p/a", "p/b"])[0].valid.tolist() == [False, True]


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "fits.safetensors"
    with pytest.raises(InputError, match="no such file"):
        load_fits(path, ["a"])
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a file of fitted parameters"):
        load_fits(path, ["a"])
    write_fits(path, ["x", "y"])
    with pytest.raises(InputError, match="names none of the 1 rows"):
        load_fits(path, ["a"])
    save_file({"scale": np.ones(2, np.float32)}, path, metadata={"keys": '["a"]'})
    with pytest.raises(InputError, match="does not match its rows"):
        load_fits(path, ["a"])
    save_file({"scale": np.ones(1, np.float32)}, path, metadata={"keys": '["a"]'})
    with pytest.raises(InputError, match="holds no 'ok'"):
        load_fits(path, ["a"])


def test_expressions_of_usable_rows(tmp_path):
    path = tmp_path / "fits.safetensors"
    arrays = write_fits(path, ["a", "b"], ok=np.array([False, True]))
    assert np.array_equal(load_expressions(path, 53), arrays["expression"][1:])
    with pytest.raises(InputError, match="no expressions of 52 shapes"):
        load_expressions(path, 52)


def test_tables_of_different_models_do_not_mix():
    few, many = ParameterTable.zeros(2, 5, 53, 0), ParameterTable.zeros(3, 5, 53, 4)
    assert ParameterTable.cat([few, many]).color.shape == (5, 4)
    with pytest.raises(InputError, match="identity has 5 and 6 coefficients"):
        ParameterTable.cat([few, ParameterTable.zeros(1, 6, 53, 0)])


def test_angles_stay_short():
    # turning back by the same angle gives the identity
    rotation, _, _ = move_pose(
        np.array([[0.0, 0.0, 0.7]]),
        np.zeros((1, 2)),
        np.ones(1),
        Crop((0.0, 0.0), 1.0, 1, -0.7).matrix[None],
    )
    assert np.allclose(rotation, 0, atol=1e-12)
    assert torch.allclose(rotation_matrix(torch.from_numpy(rotation))[0], torch.eye(3).double())
