"""The files of 2009 and of its expressions, in their true structure on a small mesh."""

import numpy as np
import pytest
from scipy.io import savemat

from xpress.errors import InputError
from xpress.face_models.readers.registry import read_rig


@pytest.fixture
def folder(patch, tmp_path):
    """Twelve vertices, of which all but two have expressions."""
    rng = np.random.default_rng(1)
    model = {
        "shapeMU": 1e4 * patch.vertices.reshape(-1, 1),
        "shapePC": patch.columns(4),
        "shapeEV": np.array([[4e4], [3e4], [2e4], [1e4]]),
        "texMU": 255 * patch.colors.reshape(-1, 1),
        "texPC": patch.columns(2),
        "texEV": np.array([[51.0], [25.5]]),
        "tl": patch.triangles[:, [0, 2, 1]] + 1.0,
    }
    savemat(tmp_path / "01_MorphableModel.mat", {k: v.astype("f4") for k, v in model.items()})
    kept = np.delete(np.arange(12), [3, 7])
    savemat(tmp_path / "BFM_exp_idx.mat", {"trimIndex": (kept + 1)[:, None]})
    components = rng.normal(size=(3, 30)).astype("f4")
    with (tmp_path / "Exp_Pca.bin").open("wb") as file:
        file.write(np.int32(3).tobytes() + np.full(30, 9, "f4").tobytes() + components.tobytes())
    (tmp_path / "std_exp.txt").write_text("300 200 100\n")
    return tmp_path, components, kept


def test_micrometres_become_centimetres_and_triangles_face_outwards(folder, patch):
    path, components, kept = folder
    rig = read_rig("bfm2009", path)
    np.testing.assert_allclose(rig.mean, patch.vertices, atol=1e-5)
    np.testing.assert_array_equal(rig.triangles, patch.triangles)
    np.testing.assert_allclose(rig.mean_color, patch.colors, atol=1e-6)
    assert np.linalg.norm(rig.identity[1]) == pytest.approx(3, rel=1e-5)
    assert np.linalg.norm(rig.color[0]) == pytest.approx(0.2, rel=1e-5)
    wanted = 1e-4 * 200 * components[1].reshape(-1, 3)
    np.testing.assert_allclose(rig.expression[1][kept], wanted, rtol=1e-5)
    assert not rig.expression[:, [3, 7]].any()
    assert not rig.landmarks  # the known vertices are those of the whole mesh


def test_without_expressions_and_by_the_file_itself(folder):
    path, _, _ = folder
    (path / "Exp_Pca.bin").unlink()
    assert read_rig("bfm2009", path / "01_MorphableModel.mat").expression.shape == (0, 12, 3)


def test_what_is_missing_is_named_with_its_source(folder):
    path, _, _ = folder
    (path / "BFM_exp_idx.mat").unlink()
    with pytest.raises(InputError, match=r"Exp_Pca\.bin without BFM_exp_idx\.mat.*Deep3DFace"):
        read_rig("bfm2009", path)
    savemat(path / "model_info.mat", {"trimIndex": np.arange(1, 10)[:, None]})
    with pytest.raises(InputError, match=r"Exp_Pca\.bin: is not 3 components of 9 vertices"):
        read_rig("bfm2009", path)
    (path / "01_MorphableModel.mat").unlink()
    with pytest.raises(InputError, match=r"01_MorphableModel\.mat: no such file.*unibas"):
        read_rig("bfm2009", path)
