"""Rigs as plain arrays."""

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.face_models.readers.registry import read_rig


def test_arrays_become_a_rig_in_centimetres(patch, tmp_path):
    path = tmp_path / "rig.npz"
    marks = np.full(68, -1)
    marks[30] = 5
    offsets = np.stack([patch.columns(2)[:, i].reshape(-1, 3) for i in range(2)])
    np.savez(
        path,
        vertices=10 * patch.vertices,
        faces=patch.quads,
        expression=offsets,
        expression_names=["jawOpen", "eyeBlinkLeft"],
        landmarks68=marks,
        unit="mm",
    )
    rig = read_rig("npz", path)
    np.testing.assert_allclose(rig.mean, patch.vertices, atol=1e-5)
    np.testing.assert_allclose(rig.expression, 0.1 * offsets, atol=1e-6)
    assert list(rig.landmarks) == [30]
    np.testing.assert_allclose(rig.landmarks[30], patch.vertices[5], atol=1e-5)
    assert rig.identity.shape == (0, 12, 3)
    assert rig.mean_color is None
    assert {tuple(sorted(t)) for t in rig.triangles} == {tuple(sorted(t)) for t in patch.triangles}
    np.testing.assert_array_equal(rig.expression_bounds, [[0, 1], [0, 1]])


def test_what_is_missing_is_told(patch, tmp_path):
    path = tmp_path / "rig.npz"
    np.savez(path, vertices=patch.vertices)
    with pytest.raises(InputError, match=r"\('faces'\); needed is an \.npz with vertices"):
        read_rig("npz", path)
    np.savez(path, vertices=patch.vertices, unit="inch")
    with pytest.raises(InputError, match="unit inch; choose m, dm, cm, mm, um"):
        read_rig("npz", path)
    arrays = {"faces": patch.triangles, "expression": np.zeros((1, 11, 3))}
    np.savez(path, vertices=patch.vertices, expression_names=["jawOpen"], **arrays)
    with pytest.raises(InputError, match=r"rig\.npz: not a rig of arrays"):
        read_rig("npz", path)


def test_objects_are_never_loaded(tmp_path, patch):
    path = tmp_path / "rig.npz"
    np.savez(path, vertices=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="allow_pickle"):
        read_rig("npz", path)
