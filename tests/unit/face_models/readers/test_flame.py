"""FLAME's pickles: chumpy's arrays of 2020, numpy's of 2023, and the motion of the jaw."""

import pickle
import sys
import types

import numpy as np
import pytest
from scipy.sparse import csc_matrix
from scipy.spatial.transform import Rotation

from xpress.errors import InputError
from xpress.face_models.readers.flame import FlameFile
from xpress.face_models.readers.registry import read_rig


@pytest.fixture
def arrays(patch):
    """Twelve vertices with FLAME's five joints; the lower row belongs to the jaw."""
    rng = np.random.default_rng(2)
    weights = np.zeros((12, 5))
    weights[:, 1] = 1
    weights[:4] = [0, 0.25, 0.75, 0, 0]
    regressor = rng.uniform(size=(5, 12))
    return {
        "v_template": 0.01 * patch.vertices,
        "f": patch.triangles.astype(np.uint32),
        "shapedirs": 0.01 * rng.normal(size=(12, 3, 302)),
        "posedirs": np.zeros((12, 3, 36)),
        "weights": weights,
        "J_regressor": csc_matrix(regressor / regressor.sum(1, keepdims=True)),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]]),
        "bs_style": "lbs",
    }


@pytest.fixture
def chumpy(monkeypatch):
    """The library's module with the state that its arrays have when they are pickled."""
    module = types.ModuleType("chumpy.ch")

    class Ch:
        def __init__(self, x):
            self.x, self._dirty_vars, self._itr = np.asarray(x), set(), None
            self._depends_on_deps = {}

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    module.Ch = Ch
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    return Ch


def write(path, content, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_metres_become_centimetres(arrays, patch, tmp_path, protocol):
    rig = read_rig("flame", write(tmp_path / "flame2023.pkl", arrays, protocol))
    np.testing.assert_allclose(rig.mean, patch.vertices, atol=1e-5)
    np.testing.assert_array_equal(rig.triangles, patch.triangles)
    assert rig.identity.shape == (300, 12, 3)
    np.testing.assert_allclose(rig.identity[7], 100 * arrays["shapedirs"][:, :, 7], atol=1e-5)
    np.testing.assert_allclose(rig.expression[1], 100 * arrays["shapedirs"][:, :, 301], atol=1e-5)
    assert rig.expression_names[-3:] == ["jaw_x", "jaw_y", "jaw_z"]


@pytest.mark.parametrize("protocol", [0, 2])
def test_arrays_of_chumpy_are_read_without_it(arrays, patch, tmp_path, chumpy, protocol):
    wrapped = {
        name: chumpy(value) if name in ("v_template", "shapedirs", "posedirs") else value
        for name, value in arrays.items()
    }
    path = write(tmp_path / "generic_model.pkl", wrapped, protocol)
    del sys.modules["chumpy.ch"], sys.modules["chumpy"]
    rig = read_rig("flame", path)
    np.testing.assert_allclose(rig.mean, patch.vertices, atol=1e-5)
    np.testing.assert_allclose(rig.identity[7], 100 * arrays["shapedirs"][:, :, 7], atol=1e-5)


def test_the_jaw_turns_about_its_joint(arrays, tmp_path):
    path = write(tmp_path / "flame.pkl", arrays)
    file = FlameFile(path)
    joint = (arrays["J_regressor"] @ arrays["v_template"])[2]
    turn = np.array([0.3, 0.1, 0.0])
    posed = file.posed({"jaw": turn})
    arm = arrays["v_template"] - joint
    moved = Rotation.from_rotvec(turn).apply(arm) - arm
    np.testing.assert_allclose(posed[:4] - arrays["v_template"][:4], 0.75 * moved[:4], atol=1e-9)
    np.testing.assert_allclose(posed[4:], arrays["v_template"][4:], atol=1e-12)
    rig = read_rig("flame", path)
    wanted = 100 * 0.75 * np.cross([1, 0, 0], arm[:4])
    np.testing.assert_allclose(rig.expression[-3, :4], wanted, rtol=0.02, atol=1e-4)


def test_the_neck_carries_everything_above_it(arrays, tmp_path):
    file = FlameFile(write(tmp_path / "flame.pkl", arrays))
    turn = np.array([0.0, 0.4, 0.0])
    joint = file.joints[1]
    wanted = Rotation.from_rotvec(turn).apply(file.template - joint) + joint
    np.testing.assert_allclose(file.posed({"neck": turn}), wanted, atol=1e-9)


def test_programs_are_refused(arrays, tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    path = write(tmp_path / "evil.pkl", {**arrays, "more": Evil()})
    with pytest.raises(InputError, match=r"evil\.pkl: refused, because it asks for .*print"):
        read_rig("flame", path)


def test_other_dictionaries_say_what_is_needed(arrays, tmp_path):
    lacking = {name: value for name, value in arrays.items() if name != "posedirs"}
    with pytest.raises(InputError, match=r"lacks posedirs; needed is generic_model\.pkl"):
        read_rig("flame", write(tmp_path / "a.pkl", lacking))
    small = arrays | {"shapedirs": arrays["shapedirs"][:, :, :10]}
    with pytest.raises(InputError, match="has 10 components, FLAME has 300 of shape"):
        read_rig("flame", write(tmp_path / "b.pkl", small))
    with pytest.raises(InputError, match=r"no such file; needed is generic_model\.pkl"):
        read_rig("flame", tmp_path / "none.pkl")
