"""Archives of eos, written byte by byte as cereal does."""

import struct

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.face_models.readers.registry import read_rig


def matrix(values):
    values = np.atleast_2d(np.asarray(values, "<f4"))
    return struct.pack("<ii", *values.shape) + values.tobytes(order="F")


def components(mean, basis, variance, triangles):
    head = matrix(np.reshape(mean, (-1, 1))) + matrix(basis) + matrix(np.reshape(variance, (-1, 1)))
    return head + struct.pack("<Q", len(triangles)) + np.asarray(triangles, "<i4").tobytes()


def blendshapes(shapes):
    content = struct.pack("<Q", len(shapes))
    for name, offset in shapes.items():
        content += struct.pack("<Q", len(name)) + name.encode()
        content += matrix(np.reshape(offset, (-1, 1)))
    return content


@pytest.fixture
def shape(patch):
    basis = patch.columns(3)
    part = components(10 * patch.vertices, basis, [9.0, 4.0, 1.0], patch.triangles)
    return part, basis


EMPTY = components(np.zeros((0, 1)), np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((0, 3)))


def test_shape_with_blendshapes_beside_it(patch, shape, tmp_path):
    part, basis = shape
    path = tmp_path / "sfm_shape.bin"
    path.write_bytes(struct.pack("<I", 1) + part + EMPTY + struct.pack("<Q", 0))
    moved = np.random.default_rng(0).normal(size=36)
    beside = tmp_path / "expression_blendshapes_12.bin"
    beside.write_bytes(blendshapes({"anger": moved, "surprise": 2 * moved}))
    rig = read_rig("surrey", path)
    np.testing.assert_allclose(rig.mean, patch.vertices, atol=1e-5)
    np.testing.assert_allclose(rig.identity[1].ravel(), 0.1 * 2 * basis[:, 1], atol=1e-6)
    assert rig.expression_names == ["anger", "surprise"]
    np.testing.assert_allclose(rig.expression[1].ravel(), 0.2 * moved, atol=1e-5)
    np.testing.assert_array_equal(rig.triangles, patch.triangles)
    assert rig.mean_color is None
    beside.unlink()
    assert not len(read_rig("surrey", path).expression)


@pytest.mark.parametrize("kind", [0, 1])
def test_later_versions_hold_colours_and_expressions(patch, shape, tmp_path, kind):
    part, _ = shape
    color = components(patch.colors, patch.columns(2), [0.04, 0.01], patch.triangles)
    basis = patch.columns(2)
    own = (
        components(np.zeros(36), basis, [25.0, 1.0], patch.triangles)
        if kind == 0
        else blendshapes({"jawOpen": 5 * basis[:, 0]})
    )
    path = tmp_path / "model.bin"
    path.write_bytes(struct.pack("<I", 4) + part + color + struct.pack("<Bi", 0, kind) + own)
    rig = read_rig("surrey", path)
    np.testing.assert_allclose(rig.mean_color, patch.colors, atol=1e-6)
    assert np.linalg.norm(rig.color[0]) == pytest.approx(0.2, rel=1e-5)
    np.testing.assert_allclose(rig.expression[0].ravel(), 0.5 * basis[:, 0], atol=1e-6)
    assert rig.expression_bounds[0].tolist() == ([-5, 5] if kind == 0 else [0, 1])


def test_other_files_are_refused(shape, tmp_path):
    part, _ = shape
    path = tmp_path / "model.bin"
    path.write_bytes(struct.pack("<I", 1) + part[:200])
    with pytest.raises(InputError, match=r"it ends early.*patrikhuber/eos"):
        read_rig("surrey", path)
    path.write_bytes(b"something else")
    with pytest.raises(InputError, match="not a model of the library eos of version 1 to 4"):
        read_rig("surrey", path)
